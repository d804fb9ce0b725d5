#include "vjepa/data/random_augment.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace vjepa;

namespace {

/// Pixel (x, y) of the frame that the reference values were made from.
Frames picture() {
  Frames frames(1, 5, 7);
  for (Index y = 0; y < 5; ++y) {
    for (Index x = 0; x < 7; ++x) {
      for (Index c = 0; c < 3; ++c) {
        frames.frame(0)[(y * 7 + x) * 3 + c] =
            static_cast<std::uint8_t>((x * 37 + y * 59 + c * 83 + x * y * c * 11 + x * x * y * 3) % 200 + 20 + c * 5);
      }
    }
  }
  return frames;
}

/// Largest difference from the pixels written in hexadecimal.
int difference(const Frames& frames, const std::string& expected) {
  REQUIRE(expected.size() == 2 * frames.pixels.size());
  int most = 0;
  for (std::size_t i = 0; i < frames.pixels.size(); ++i) {
    most = std::max(most, std::abs(std::stoi(expected.substr(2 * i, 2), nullptr, 16) - int{frames.pixels[i]}));
  }
  return most;
}

struct Case {
  const char* name;
  void (*change)(Frames&);
  std::string expected;  // pixels in hexadecimal, as Pillow 13.0 gives them
};

const std::vector<Case> cases = {
    {"auto_contrast(f)", [](Frames& f) { auto_contrast(f); },
     "006cd82f9d015fce328fff63bf2793ef58c41c89f54cba1e80fd70bb40caff932347ef8d9a49fef4b57098006cd055df14bb596b2"
     "8ecd1ae86443b30c9e0f3e54dba1db646702ef1dac6ad596d80f22c6b9f036d2e9b006e0eb5cca981475b6de32c799c1ea5742ff0"},
    {"posterize(f, 2)", [](Frames& f) { posterize(f, 2); },
     "0040c000800040804080c040800080c040800080c040800040c040804080c0800040c0808040c0c080408000408040c0008040400"
     "0c080808040404080c0c0c040800080404000c0808080404080c00040800040008000400080808080404040c000408000804000c0"},
    {"solarize(f, 77)", [](Frames& f) { solarize(f, 77); },
     "14933b396e21a149467c249457386f32a24a2a7d25b0583788258a5a4b4626753b4b307474ad1e2e5c8a751a8d4aa43624579b983"
     "92c4961794947454f3b273aaa522b5baa943d28424f5ca6927e303c8e701d8c386f209625564d657d4ba08c3b3c83723162913e29"},
    {"solarize_add(f, 70)", [](Frames& f) { solarize_add(f, 70); },
     "5ab2c47f9167a4b68c83dbb1a87e90cda3b57082da95a77dbddabba591b9d98a8191cf8b8b98e1d1a3bb8a60b8b5a1c96aa8aaad7"
     "fd3b69e868f8d8bb0c4d8c59bad71a49bb183d7bdb0a39fb381cf82b78f63b97e9066af6ba9b29a8291a5b9c482c28d779db484d6"},
    {"invert(f)", [](Frames& f) { invert(f); },
     "eb933bc66edea149b97c249457c76f32a24ad57d25b058c888258a5ab4462675c4b4307474ad1e2e5c8a75e58d4aa436db579b98c"
     "62c496179b6b8ba4f3b273aaa52d45baa94c228424f5ca6927e30c38e70e28cc76fdf96da564d657db4a08c3bc38372ce6291c129"},
    {"adjust_color(f, 1.63)", [](Frames& f) { adjust_color(f, 1.63); },
     "0076ff1aa9003fce1864f33dd21cabf741d0008cff30bf0952f34fc532e5ff800015ec7d9a3dffe89d52b4008dd542f500c556702"
     "5ffc29b744a4743a5c6e7ef39c800c03f7429ffc3ae994e6f90ff1c72bb018d19a8007d0ee6be9770406182fb1d86ad17c77829ff"},
    {"adjust_color(f, 0.37)", [](Frames& f) { adjust_color(f, 0.37); },
     "41618257784e7c9d73a1c2987d5374a278995777986d8e649bc09a84638cb0937680b1987b669bb9a8975f355694739c598a715d4"
     "c85a9a097474746bac1c89a70915a876a615089b6b1ac636a71915b6f62385856774d543b6ba59c93555c638c5a716c4a7263528a"},
    {"adjust_contrast(f, 1.63)", [](Frames& f) { adjust_contrast(f, 1.63); },
     "0063f310a0004cdc2589ff62c50f9eff4bda0087ff34c30d75ff72c02ee1ff94132eff969639ffffbd7294006dda48fb00c5565b1"
     "0ffdcb58e2a2724d2f3fff43ecd00bf3e6217ffe7d2bd446586ff156b9c006f0f9e005e00c7d5ae872e4e6ff3157d9903b36718ff"},
    {"adjust_brightness(f, 0.37)", [](Frames& f) { adjust_brightness(f, 0.37); },
     "07274815350c2243193051273e14354b22420f30501d3d142c502b3d1b445033151b4c33331e534d3c2b33092a42214a0d3e25261"
     "54e433a311b1a1941484f481f400f3c1f27164f45413c20282f4c1629340a2a14350b260d3e4138301b232a48162d34123a28164f"},
    {"adjust_brightness(f, 1.63)", [](Frames& f) { adjust_brightness(f, 1.63); },
     "20b0ff5cec3599ff72d5ffaeff5beaff97ff44d3ff80ff59c1ffbeff7affffe0607affe2e285ffffffbee02ab9ff94ff3affa3a75"
     "cffffffda767370ffffffff8aff46ff8aae63ffffffff91b1d2ff61b8e92fbb5bea34ab3cfffffbd37a9abbff61cae54fffb365ff"},
    {"adjust_sharpness(f, 1.63)", [](Frames& f) { adjust_sharpness(f, 1.63); },
     "146cc43991215eb64683db6ba83890cd5db52a82da4fa7377fff74b72cd5fe891c2cf48a8a3dfdd1a3758a1a72d04fe400b94e5b1"
     "aeec7af842a3126b0c4d8c555ad0bbe3e6826f1d7caa942737ee92f648f1d733890206925a9b29a824b5f73c43c7c8d319d6e3ed6"},
    {"warp(f, rotation(21, f.height, f.width))", [](Frames& f) { warp(f, rotation(21, f.height, f.width)); },
     "80808080808068fa6193727c9d5dd1b672b2808080237a64649d4fcd6e76a8b0445cb892515b75b1bbe34cb9449bb5ad4b8879673"
     "9d39c8a8ea647559c1a74752155af45b72d7396af85c879897dad38837735bb80808071837250618f9991864e426c808080808080"},
    {"warp(f, {1, -0.21, 0, 0, 1, 0})",
     [](Frames& f) {
       warp(f, {1, -0.21, 0, 0, 1, 0});
     },
     "1068d1328a2f57af3d7ce564a14689d754ae3b7ed6499f2d63df579172bae0625b71d05c6272dbbf809c808080af2fa76d9597277"
     "194a264c480734b6b7682808080986f8e218e6d8f50dda8b1936d5877ce2c6f8080803a89276f26adaf9c7f4c5a72c7397e8831a1"},
    {"warp(f, {1, 0, 0, 0.21, 1, 0})",
     [](Frames& f) {
       warp(f, {1, 0, 0, 0.21, 1, 0});
     },
     "1973b448b03594718dd2ab314ac98b764fcce0c292599c309db7a3607d8a7d39afb4a386574439a189b996137e8e67ab306ea1b09"
     "7be597181d3397c7e1088bb60a32a865e9861b76d7a7dbd3e7c852fa16942e42c94147212b5808080808080808080808080808080"},
    {"warp(f, {1, 0, 2.205, 0, 1, 0})",
     [](Frames& f) {
       warp(f, {1, 0, 2.205, 0, 1, 0});
     },
     "69c7518ebd76b9299bb069c11486de808080808080ba43a5c0a43843bbaaa152d6daad678080808080801c97708342d3a695694f5"
     "55abdd4eb8080808080808749deafb295665b79d12f6f861873808080808080a29e79585071c934827f32ac693fdd808080808080"},
};

}  // namespace

TEST_CASE("changes of pictures are Pillow's") {
  for (const Case& c : cases) {
    INFO(c.name);
    Frames frames = picture();
    c.change(frames);
    CHECK(difference(frames, c.expected) <= 1);  // fused multiply-add rounds once, Pillow twice
  }
}

TEST_CASE("a flat histogram is Pillow's") {
  Frames frames(1, 30, 40);
  for (Index y = 0; y < 30; ++y) {
    for (Index x = 0; x < 40; ++x) {
      for (Index c = 0; c < 3; ++c) {
        frames.frame(0)[(y * 40 + x) * 3 + c] =
            static_cast<std::uint8_t>((x * x + 3 * y * y + x * y * c + c * 40) / 7 % 256);
      }
    }
  }
  equalize(frames);
  Index sum = 0;
  for (Index i = 0; i < frames.frame_size(); ++i) sum += (i % 251 + 1) * frames.frame(0)[i];
  CHECK(sum == 65553515);
  Frames few = picture();  // fewer pixels than values: nothing to spread
  equalize(few);
  CHECK(few.pixels == picture().pixels);
}

TEST_CASE("RandAugment treats the frames of a clip alike, and changes about as many as its probability says") {
  const RandomAugment augment;
  int changed = 0;
  for (std::uint64_t sample = 0; sample < 300; ++sample) {
    Frames clip(2, 5, 7);
    for (Index i = 0; i < 2; ++i) std::copy_n(picture().frame(0), clip.frame_size(), clip.frame(i));
    Random random({.seed = 3, .purpose = Purpose::augment, .sample = sample});
    augment(clip, random);
    CHECK(std::equal(clip.frame(0), clip.frame(0) + clip.frame_size(), clip.frame(1)));
    changed += !std::equal(clip.frame(0), clip.frame(0) + clip.frame_size(), picture().frame(0));
  }
  // All four left out: 1/16; some change nothing (equalize on so few pixels), none else.
  CHECK(changed > 255);
  CHECK(changed < 295);
}
