// A project of its own that uses the CUDA device. Where there is none, that is said and no failure.
#include <cstdio>
#include <optional>
#include <vector>
#include <vjepa/core/arena.hpp>
#include <vjepa/cuda/cuda.hpp>

using namespace vjepa;
using D = Cuda<float>;

int main() {
  std::optional<D::Context> ctx;
  try {
    ctx.emplace();
  } catch (const Error& e) {
    std::printf("%s\n", e.what());
    return 0;
  }
  const Array<D, float> x(*ctx, std::vector<float>{3, 4});
  const Array<D, float> norm(*ctx, 1);
  D::norm(*ctx, x.view(), norm.view());
  std::printf("%s\n", D::describe(*ctx).c_str());
  return norm.download(*ctx)[0] == 5 ? 0 : 1;
}
