"""The library as a package of Conan 2: the headers, and what each component needs."""

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout

required_conan_version = ">=2.0"

# Of each component, the packages and their targets that it links. The option with_<component> adds it.
COMPONENTS = {
    "io": {
        "nlohmann_json/[>=3.9 <4]": ["nlohmann_json::nlohmann_json"],
        "zlib/[>=1.2.11 <2]": ["zlib::zlib"],
    },
    "config": {"yaml-cpp/[>=0.7 <1]": ["yaml-cpp::yaml-cpp"]},
    "ffmpeg": {"ffmpeg/[>=5 <8]": [f"ffmpeg::{library}"
                                  for library in ("avdevice", "avformat", "avcodec", "swscale", "avutil")]},
    "blas": {"openblas/[>=0.3 <1]": ["openblas::openblas"]},
}


class Vjepa(ConanFile):
    name = "vjepa"
    description = "V-JEPA in C++20: self-supervised learning of visual representations from video"
    license = "Apache-2.0"
    topics = ("deep-learning", "self-supervised", "video", "vision-transformer", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"openmp": [True, False], "with_cuda": [True, False]} | {
        f"with_{component}": [True, False] for component in COMPONENTS}
    default_options = {"openmp": True, "with_cuda": False} | {f"with_{component}": False for component in COMPONENTS}
    exports_sources = "include/*", "LICENSE"
    no_copy_source = True
    test_package_folder = "tests/package/conan"

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, "include/vjepa/version.hpp"))
        self.version = ".".join(re.findall(r"define VJEPA_VERSION_\w+ (\d+)", text))

    def layout(self):
        basic_layout(self)

    def requirements(self):
        self.requires("eigen/[>=3.4 <4]", transitive_headers=True)
        for component, packages in self._components():
            for package in packages:
                self.requires(package, transitive_headers=True, transitive_libs=True)

    def package_id(self):
        self.info.clear()

    def validate(self):
        check_min_cppstd(self, 20)
        if self.options.with_cuda:
            raise ConanInvalidConfiguration("the CUDA toolkit is no package of Conan's; leave with_cuda off, and link "
                                            "cudart and cublasLt")

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "include/*", self.source_folder, self.package_folder)

    def package_info(self):
        self.cpp_info.set_property("cmake_target_name", "vjepa::all")
        core = self._component("vjepa", ["eigen::eigen"])
        if self.options.openmp:
            core.cxxflags = core.exelinkflags = core.sharedlinkflags = ["-fopenmp"]
        for component, packages in self._components():
            self._component(component, ["vjepa"] + [target for targets in packages.values() for target in targets])

    def _components(self):
        return [item for item in COMPONENTS.items() if self.options.get_safe(f"with_{item[0]}")]

    def _component(self, name, requires):
        info = self.cpp_info.components[name]
        info.set_property("cmake_target_name", f"vjepa::{name}")
        info.requires = requires
        info.bindirs = info.libdirs = []
        return info
