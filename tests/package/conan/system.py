"""Stands in for a package that vjepa requires, with the library that the system has, as pkg-config describes it:
`conan export system.py --name zlib`. The profile system_libraries then names it for the required one."""

from conan import ConanFile
from conan.tools.gnu import PkgConfig

# The module of pkg-config, or one for each component.
MODULES = {
    "eigen": "eigen3",
    "nlohmann_json": "nlohmann_json",
    "zlib": "zlib",
    "yaml-cpp": "yaml-cpp",
    "ffmpeg": {name: f"lib{name}" for name in ("avdevice", "avformat", "avcodec", "swscale", "avutil")},
}


class System(ConanFile):
    version = "system"
    settings = "os", "arch"

    def package_info(self):
        modules = MODULES[self.name]
        if isinstance(modules, str):
            PkgConfig(self, modules).fill_cpp_info(self.cpp_info)
            return
        for component, module in modules.items():
            PkgConfig(self, module).fill_cpp_info(self.cpp_info.components[component])
