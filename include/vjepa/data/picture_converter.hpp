#pragma once

extern "C" {
#include <libavutil/hwcontext.h>
}

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/ffmpeg.hpp"

namespace vjepa {

/// Turns decoded pictures of one stream into RGB as they are meant to be seen: turned as the file says, in the file's
/// own colour matrix and range, all in the size that the file states, or of the first where it states none. HDR is not
/// tone-mapped; pixels that are not square stay so.
class PictureConverter {
 public:
  PictureConverter() = default;
  explicit PictureConverter(const AVStream& stream) {
    read_orientation(stream);
    set_size(stream.codecpar->height, stream.codecpar->width);
  }

  /// As shown; 0 before the first picture where the file states no size.
  Index height() const { return height_; }
  Index width() const { return width_; }
  /// Whether the last picture came from hardware.
  bool from_hardware() const { return from_hardware_; }

  /// Converts a picture, which `copy_to` then gives. Throws Error when FFmpeg cannot convert pixels of its kind.
  void convert(const AVFrame& decoded) {
    from_hardware_ = decoded.hw_frames_ctx != nullptr;
    const AVFrame& frame = from_hardware_ ? downloaded(decoded) : decoded;
    if (width_ == 0) set_size(frame.height, frame.width);
    const int columns = static_cast<int>(transposed_ ? height_ : width_);
    const int rows = static_cast<int>(transposed_ ? width_ : height_);
    // Bit-exact and accurate: the same pixels on every processor.
    constexpr int flags = SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT;
    SwsContext* scaler =
        sws_getCachedContext(scaler_.release(), frame.width, frame.height, static_cast<AVPixelFormat>(frame.format),
                             columns, rows, AV_PIX_FMT_RGB24, flags, nullptr, nullptr, nullptr);
    scaler_.reset(scaler);
    if (scaler == nullptr) fail("has pixels of a kind that FFmpeg cannot turn into RGB");
    const int* matrix = sws_getCoefficients(
        frame.colorspace == AVCOL_SPC_UNSPECIFIED || frame.colorspace == AVCOL_SPC_RGB ? SWS_CS_DEFAULT
                                                                                       : frame.colorspace);
    const int* rgb = sws_getCoefficients(SWS_CS_DEFAULT);
    sws_setColorspaceDetails(scaler, matrix, frame.color_range == AVCOL_RANGE_JPEG, rgb, 1, 0, 1 << 16, 1 << 16);
    // swscale may write a little past a row: it gets rows of its own.
    row_bytes_ = (columns * 3 + 63) / 64 * 64;
    scaled_.resize(static_cast<std::size_t>(row_bytes_) * static_cast<std::size_t>(rows) + 64);
    std::uint8_t* planes[4] = {scaled_.data(), nullptr, nullptr, nullptr};
    const int strides[4] = {row_bytes_, 0, 0, 0};
    if (sws_scale(scaler, frame.data, frame.linesize, 0, frame.height, planes, strides) != rows) {
      fail("has a frame that FFmpeg cannot turn into RGB");
    }
  }

  /// Writes the picture converted last, [height, width, 3].
  void copy_to(std::uint8_t* out) const {
    if (!transposed_ && !mirrored_x_ && !mirrored_y_) {
      for (Index y = 0; y < height_; ++y) std::copy_n(scaled_.data() + y * row_bytes_, width_ * 3, out + y * width_ * 3);
      return;
    }
    for (Index y = 0; y < height_; ++y) {
      for (Index x = 0; x < width_; ++x, out += 3) {
        const Index shown_x = mirrored_x_ ? width_ - 1 - x : x;
        const Index shown_y = mirrored_y_ ? height_ - 1 - y : y;
        const Index row = transposed_ ? shown_x : shown_y;
        const Index column = transposed_ ? shown_y : shown_x;
        std::copy_n(scaled_.data() + row * row_bytes_ + column * 3, 3, out);
      }
    }
  }

 private:
  /// A picture that lies in the memory of the hardware that decoded it.
  const AVFrame& downloaded(const AVFrame& decoded) {
    av_frame_unref(downloaded_.get());
    int e = av_hwframe_transfer_data(downloaded_.get(), &decoded, 0);
    if (e >= 0) e = av_frame_copy_props(downloaded_.get(), &decoded);
    // Hardware leaves the left and the upper edge on.
    if (e >= 0) e = av_frame_apply_cropping(downloaded_.get(), AV_FRAME_CROP_UNALIGNED);
    if (e < 0) fail("has a frame that does not come back from the hardware that decoded it: ", ffmpeg::reason(e));
    return *downloaded_;
  }

  /// Of pictures as decoded.
  void set_size(int rows, int columns) {
    height_ = transposed_ ? columns : rows;
    width_ = transposed_ ? rows : columns;
  }

  /// The display matrix turns and mirrors by quarters; x' = a x + c y, y' = b x + d y.
  void read_orientation(const AVStream& stream) {
    const std::int32_t* const m = ffmpeg::display_matrix(stream);
    if (m == nullptr) return;
    const auto magnitude = [](std::int32_t v) { return std::abs(static_cast<double>(v)); };
    transposed_ = magnitude(m[1]) > magnitude(m[0]);
    mirrored_x_ = (transposed_ ? m[3] : m[0]) < 0;
    mirrored_y_ = (transposed_ ? m[1] : m[4]) < 0;
  }

  ffmpeg::Scaler scaler_;
  ffmpeg::Picture downloaded_{av_frame_alloc()};
  bool from_hardware_ = false;
  bool transposed_ = false;
  bool mirrored_x_ = false;
  bool mirrored_y_ = false;
  Index width_ = 0;
  Index height_ = 0;
  std::vector<std::uint8_t> scaled_;  // as decoded, rows of row_bytes_
  int row_bytes_ = 0;
};

}  // namespace vjepa
