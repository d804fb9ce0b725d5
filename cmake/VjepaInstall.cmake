# cmake --install: headers, the package that find_package(vjepa) reads, and vjepa.pc for pkg-config. All of it serves
# every processor and may be moved.

include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_DATADIR}/vjepa)
install(TARGETS vjepa EXPORT vjepa-targets FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT vjepa-targets NAMESPACE vjepa:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/vjepa-config.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/vjepa-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/vjepa-config-version.cmake
  COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vjepa-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/vjepa-config-version.cmake
  ${CMAKE_CURRENT_LIST_DIR}/VjepaDependencies.cmake DESTINATION ${package_dir})

set(pkgconfig_dir ${CMAKE_INSTALL_DATADIR}/pkgconfig)
set(prefix_of_pkgconfig ${CMAKE_INSTALL_PREFIX})
cmake_path(RELATIVE_PATH prefix_of_pkgconfig BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}/${pkgconfig_dir})
configure_file(${CMAKE_CURRENT_LIST_DIR}/vjepa.pc.in ${CMAKE_CURRENT_BINARY_DIR}/vjepa.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vjepa.pc DESTINATION ${pkgconfig_dir})
