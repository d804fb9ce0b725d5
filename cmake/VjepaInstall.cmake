# cmake --install: headers and the package that find_package(vjepa) reads.

include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/vjepa)
install(TARGETS vjepa EXPORT vjepa-targets FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT vjepa-targets NAMESPACE vjepa:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/vjepa-config.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/vjepa-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/vjepa-config-version.cmake
  COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vjepa-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/vjepa-config-version.cmake
  ${CMAKE_CURRENT_LIST_DIR}/VjepaDependencies.cmake DESTINATION ${package_dir})
