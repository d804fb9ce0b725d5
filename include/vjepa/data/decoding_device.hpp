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
/// the hardware, and so may threads. What the hardware does not take, the CPU decodes: other codecs and profiles, those
/// for which FFmpeg prefers a decoder that has no hardware (AV1's, often), and single pictures.
class DecodingDevice {
 public:
  /// The CPU.
  DecodingDevice() = default;

  /// "cpu", or FFmpeg's name of a kind of hardware and, after a colon, which: "cuda:0", "vaapi:/dev/dri/renderD128".
  /// Throws Error when FFmpeg or this machine does not have it.
  explicit DecodingDevice(const std::string& name) : name_(name) {
    if (name == "cpu") return;
    const auto colon = name.find(':');
    const AVHWDeviceType type = built_in(name.substr(0, colon));
    if (type == AV_HWDEVICE_TYPE_NONE) fail("decoding on '", name, "': this FFmpeg has cpu", kinds());
    const std::string which = colon == std::string::npos ? "" : name.substr(colon + 1);
    AVBufferRef* made = nullptr;
    // The context that everything else of this process has on an NVIDIA GPU, where FFmpeg takes it; which it does not
    // once others have set it up in their way. A second one costs memory, and turns with the first on the GPU.
    int e = create(made, type, which, type == AV_HWDEVICE_TYPE_CUDA);
    if (e < 0 && type == AV_HWDEVICE_TYPE_CUDA) e = create(made, type, which, false);
    if (e < 0) {
      fail("decoding on ", name, ": FFmpeg cannot use it: ", ffmpeg::reason(e),
           "; it wants the hardware and its driver here; or choose cpu");
    }
    hardware_.reset(made, [](AVBufferRef* buffer) { av_buffer_unref(&buffer); });
  }

  /// As it was chosen.
  const std::string& name() const { return name_; }

  /// To be called before the decoder is opened.
  void serve(AVCodecContext& codec) const {
    if (hardware_ && codec.codec_id != AV_CODEC_ID_MJPEG) codec.hw_device_ctx = av_buffer_ref(hardware_.get());
  }

 private:
  static int create(AVBufferRef*& made, AVHWDeviceType type, const std::string& which, bool primary) {
    AVDictionary* options = nullptr;
    if (primary) av_dict_set(&options, "primary_ctx", "1", 0);
    const int e = av_hwdevice_ctx_create(&made, type, which.empty() ? nullptr : which.c_str(), options, 0);
    av_dict_free(&options);
    return e;
  }

  /// FFmpeg knows the names of more.
  static AVHWDeviceType built_in(const std::string& kind) {
    auto type = av_hwdevice_iterate_types(AV_HWDEVICE_TYPE_NONE);
    while (type != AV_HWDEVICE_TYPE_NONE && av_hwdevice_get_type_name(type) != kind) {
      type = av_hwdevice_iterate_types(type);
    }
    return type;
  }
  static std::string kinds() {
    std::string all;
    for (auto type = av_hwdevice_iterate_types(AV_HWDEVICE_TYPE_NONE); type != AV_HWDEVICE_TYPE_NONE;
         type = av_hwdevice_iterate_types(type)) {
      all += std::string(", ") + av_hwdevice_get_type_name(type);
    }
    return all + "; choose one of them";
  }

  std::string name_ = "cpu";
  std::shared_ptr<AVBufferRef> hardware_;
};

}  // namespace vjepa
