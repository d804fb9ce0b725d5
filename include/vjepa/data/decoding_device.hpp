#pragma once

extern "C" {
#include <libavutil/hwcontext.h>
}

#include <memory>
#include <string>

#include "vjepa/core/error.hpp"
#include "vjepa/data/ffmpeg.hpp"

namespace vjepa {

/// What decodes videos: the CPU, or hardware that FFmpeg was built with, such as NVDEC of an NVIDIA GPU. Copies share
/// the hardware, and so may threads. Codecs that it does not know are decoded by the CPU.
class DecodingDevice {
 public:
  /// The CPU.
  DecodingDevice() = default;

  /// "cpu", or FFmpeg's name of a kind of hardware and, after a colon, which: "cuda:0", "vaapi:/dev/dri/renderD128".
  /// Throws Error when FFmpeg or this machine does not have it.
  explicit DecodingDevice(const std::string& name) {
    if (name == "cpu") return;
    const auto colon = name.find(':');
    const AVHWDeviceType type = av_hwdevice_find_type_by_name(name.substr(0, colon).c_str());
    if (type == AV_HWDEVICE_TYPE_NONE) fail("decoding on '", name, "': choose cpu", kinds());
    const std::string which = colon == std::string::npos ? "" : name.substr(colon + 1);
    AVDictionary* options = nullptr;
    // The CUDA context that everything else of this process has on the GPU; a second one would cost memory and switches.
    if (type == AV_HWDEVICE_TYPE_CUDA) av_dict_set(&options, "primary_ctx", "1", 0);
    AVBufferRef* made = nullptr;
    const int e = av_hwdevice_ctx_create(&made, type, which.empty() ? nullptr : which.c_str(), options, 0);
    av_dict_free(&options);
    if (e < 0) {
      fail("decoding on ", name, ": FFmpeg cannot use it: ", ffmpeg::reason(e),
           "; it wants the hardware and its driver here; or choose cpu");
    }
    hardware_.reset(made, [](AVBufferRef* buffer) { av_buffer_unref(&buffer); });
  }

  /// To be called before the decoder is opened.
  void serve(AVCodecContext& codec) const {
    if (hardware_) codec.hw_device_ctx = av_buffer_ref(hardware_.get());
  }

 private:
  static std::string kinds() {
    std::string all;
    for (auto type = av_hwdevice_iterate_types(AV_HWDEVICE_TYPE_NONE); type != AV_HWDEVICE_TYPE_NONE;
         type = av_hwdevice_iterate_types(type)) {
      all += std::string(", ") + av_hwdevice_get_type_name(type);
    }
    return all;
  }

  std::shared_ptr<AVBufferRef> hardware_;
};

}  // namespace vjepa
