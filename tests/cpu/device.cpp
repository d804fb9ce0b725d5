// The CPU device's functions against plain loops in double precision, for every scalar and every product policy that
// this build has.

#include <pthread.h>
#include <sys/time.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "program_gemm.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/cpu/cpu.hpp"

using namespace vjepa;

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Values that the scalar holds exactly, and their double copies.
template <class T>
struct Tensor {
  std::vector<T> values;

  Tensor(Index n, std::uint64_t seed, double scale = 1) : values(static_cast<std::size_t>(n)) {
    Random random({.seed = seed});
    for (T& v : values) v = T(static_cast<float>(scale * random.normal()));
  }
  static Tensor poisoned(Index n) {
    Tensor t(n, 0);
    std::fill(t.values.begin(), t.values.end(), T(nan));
    return t;
  }
  T* data() { return values.data(); }
  double operator[](Index i) const { return static_cast<double>(values[static_cast<std::size_t>(i)]); }
};

/// Rounding of one operation, times what a sum of `terms` of them may gather. bf16 rounds the result once; in
/// attention the weights, too, but the errors of many weights average out.
template <class S>
double tolerance(Index terms) {
  if constexpr (std::is_same_v<S, double>) return 1e-14 * static_cast<double>(terms);
  if constexpr (std::is_same_v<S, float>) return 2e-7 * static_cast<double>(terms);
  return 1.0 / 128;
}

template <class S, class Expected>
void require_close(const Tensor<S>& got, Index n, double tolerance, Expected&& expected) {
  double scale = 0;
  for (Index i = 0; i < n; ++i) scale = std::max(scale, std::abs(expected(i)));
  for (Index i = 0; i < n; ++i) {
    INFO("element " << i);
    REQUIRE(std::abs(got[i] - expected(i)) <= tolerance * std::max(scale, 1e-30));
  }
}

/// A handler of timer signals that come while it lives: how often this thread ran it, and how often not on its stack.
class TimerSignals {
 public:
  TimerSignals() {
    pthread_attr_t attributes;
    pthread_getattr_np(pthread_self(), &attributes);
    void* begin = nullptr;
    std::size_t bytes = 0;
    pthread_attr_getstack(&attributes, &begin, &bytes);
    pthread_attr_destroy(&attributes);
    stack_begin = reinterpret_cast<std::uintptr_t>(begin);
    stack_end = stack_begin + bytes;
    thread = pthread_self();
    count = 0;
    elsewhere = 0;
    struct sigaction action {};
    action.sa_handler = [](int) {
      if (pthread_equal(pthread_self(), thread) == 0) return;
      const char here = 0;
      const auto at = reinterpret_cast<std::uintptr_t>(&here);
      count = count + 1;
      if (at < stack_begin || at >= stack_end) elsewhere = elsewhere + 1;
    };
    sigaction(SIGALRM, &action, &before_);
    const itimerval soon{.it_interval = {0, 500}, .it_value = {0, 500}};
    setitimer(ITIMER_REAL, &soon, nullptr);
  }
  TimerSignals(const TimerSignals&) = delete;
  ~TimerSignals() {
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &before_, nullptr);
  }

  static inline volatile std::sig_atomic_t count = 0;
  static inline volatile std::sig_atomic_t elsewhere = 0;

 private:
  static inline std::atomic<pthread_t> thread{};  // other threads read it when the signal comes to them
  static inline std::uintptr_t stack_begin = 0;
  static inline std::uintptr_t stack_end = 0;
  struct sigaction before_ {};
};

double gelu(double x) {
  return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
}
double gelu_derivative(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-x * x / 2) / std::sqrt(2 * 3.14159265358979323846);
}

}  // namespace

using Devices = std::tuple<Cpu<float>, Cpu<double>, Cpu<bf16>, Cpu<float, ProgramGemm>, Cpu<bf16, ProgramGemm>>;

TEMPLATE_LIST_TEST_CASE("products with weights", "", Devices) {
  using D = TestType;
  using S = Scalar<D>;
  using T = Grad<D>;
  typename D::Context ctx(2);
  // Larger than a tile in each direction, and no multiple of anything.
  const Index m = 331;
  const Index n = 75;
  const Index k = 1043;
  const Tensor<S> x(m * k, 1);
  const Tensor<S> w(n * k, 2, 1 / std::sqrt(static_cast<double>(k)));
  const Tensor<S> b(n, 3);
  const Tensor<S> skip(m * n, 4);
  const Mat<const S> xv(x.values.data(), m, k);
  const Mat<const S> wv(w.values.data(), n, k);
  const Vec<const S> bv(b.values.data(), n);

  std::vector<double> product(static_cast<std::size_t>(m * n));
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      double sum = b[j];
      for (Index l = 0; l < k; ++l) sum += x[i * k + l] * w[j * k + l];
      product[static_cast<std::size_t>(i * n + j)] = sum;
    }
  }
  const auto expected = [&](Index i) { return product[static_cast<std::size_t>(i)]; };

  auto y = Tensor<S>::poisoned(m * n);
  D::linear(ctx, xv, wv, bv, Mat<S>(y.data(), m, n));
  require_close(y, m * n, tolerance<S>(20), expected);

  D::linear_residual(ctx, xv, wv, bv, Mat<const S>(skip.values.data(), m, n), Mat<S>(y.data(), m, n));
  require_close(y, m * n, tolerance<S>(20), [&](Index i) { return expected(i) + skip[i]; });

  auto pre = Tensor<S>::poisoned(m * n);
  y = Tensor<S>::poisoned(m * n);
  D::linear_gelu(ctx, xv, wv, bv, Mat<S>(pre.data(), m, n), Mat<S>(y.data(), m, n));
  require_close(pre, m * n, tolerance<S>(20), expected);
  require_close(y, m * n, tolerance<S>(20), [&](Index i) { return gelu(pre[i]); });
  const auto kept = y.values;
  D::linear_gelu(ctx, xv, wv, bv, {}, Mat<S>(y.data(), m, n));
  CHECK(std::equal(kept.begin(), kept.end(), y.values.begin(), [](S a, S c) { return double(a) == double(c); }));

  const Tensor<S> dy(m * n, 5);
  auto dx = Tensor<S>::poisoned(m * k);
  D::linear_backward_data(ctx, Mat<const S>(dy.values.data(), m, n), wv, Mat<S>(dx.data(), m, k));
  const auto data_gradient = [&](Index i) {
    double sum = 0;
    for (Index j = 0; j < n; ++j) sum += dy[i / k * n + j] * w[j * k + i % k];
    return sum;
  };
  require_close(dx, m * k, tolerance<S>(20), data_gradient);
  Tensor<T> dx_sums(k, 8);
  const Tensor<T> dx_sums_before = dx_sums;
  auto active = Tensor<S>::poisoned(m * k);
  D::linear_backward_data_gelu(ctx, Mat<const S>(dy.values.data(), m, n), wv, xv, Mat<S>(dx.data(), m, k),
                               Vec<T>(dx_sums.data(), k), Mat<S>(active.data(), m, k));
  require_close(dx, m * k, tolerance<S>(20), [&](Index i) { return data_gradient(i) * gelu_derivative(x[i]); });
  require_close(active, m * k, tolerance<S>(20), [&](Index i) { return gelu(x[i]); });
  Tensor<S> in_place = x;
  auto dx_again = Tensor<S>::poisoned(m * k);
  Tensor<T> dx_sums_again = dx_sums_before;
  D::linear_backward_data_gelu(ctx, Mat<const S>(dy.values.data(), m, n), wv,
                               Mat<const S>(in_place.values.data(), m, k), Mat<S>(dx_again.data(), m, k),
                               Vec<T>(dx_sums_again.data(), k), Mat<S>(in_place.data(), m, k));
  require_close(in_place, m * k, 0, [&](Index i) { return active[i]; });
  require_close(dx_again, m * k, 0, [&](Index i) { return dx[i]; });
  require_close(dx_sums, k, tolerance<T>(20), [&](Index j) {
    double sum = dx_sums_before[j];
    for (Index r = 0; r < m; ++r) sum += dx[r * k + j];
    return sum;
  });

  Tensor<T> dw(n * k, 6);
  Tensor<T> db(n, 7);
  const Tensor<T> dw_before = dw;
  const Tensor<T> db_before = db;
  D::linear_backward_weights(ctx, xv, Mat<const S>(dy.values.data(), m, n), Mat<T>(dw.data(), n, k),
                             Vec<T>(db.data(), n));
  require_close(dw, n * k, tolerance<T>(20), [&](Index i) {
    double sum = dw_before[i];
    for (Index r = 0; r < m; ++r) sum += dy[r * n + i / k] * x[r * k + i % k];
    return sum;
  });
  require_close(db, n, tolerance<T>(20), [&](Index j) {
    double sum = db_before[j];
    for (Index r = 0; r < m; ++r) sum += dy[r * n + j];
    return sum;
  });
  const Tensor<T> dw_after = dw;
  D::linear_backward_weights(ctx, xv, Mat<const S>(dy.values.data(), m, n), Mat<T>(dw.data(), n, k), {});
  require_close(dw, n * k, tolerance<T>(20), [&](Index i) { return 2 * dw_after[i] - dw_before[i]; });
}

TEMPLATE_LIST_TEST_CASE("products over nothing add nothing", "", Devices) {
  using D = TestType;
  using S = Scalar<D>;
  using T = Grad<D>;
  typename D::Context ctx(1);
  const std::vector<S> x(static_cast<std::size_t>(40 * 40), S(1));
  std::vector<T> dw(static_cast<std::size_t>(40 * 40), T(0));
  std::vector<T> db(40, T(0));
  const auto backward = [&](Index rows) {
    D::linear_backward_weights(ctx, Mat<const S>(x.data(), rows, 40), Mat<const S>(x.data(), rows, 40),
                               Mat<T>(dw.data(), 40, 40), Vec<T>(db.data(), 40));
  };
  backward(40);  // leaves its sums in the memory that the next call uses
  backward(0);
  CHECK(dw == std::vector<T>(dw.size(), T(40)));
  CHECK(db == std::vector<T>(db.size(), T(40)));
}

TEST_CASE("a deviation that is no number makes the loss none") {
  using D = Cpu<float>;
  D::Context ctx(1);
  std::vector<float> std{0.5f, 2.0f, std::numeric_limits<float>::quiet_NaN()};
  std::vector<float> dstd(3);
  float loss = 0;
  D::hinge(ctx, Mat<const float>(std.data(), 1, 2), 1, Vec<float>(&loss, 1), Mat<float>(dstd.data(), 1, 2));
  CHECK(loss == 0.5f);
  CHECK(dstd == std::vector<float>{-1, 0, 0});
  D::hinge(ctx, Mat<const float>(std.data(), 1, 3), 1, Vec<float>(&loss, 1), Mat<float>(dstd.data(), 1, 3));
  CHECK(std::isnan(loss));
}

TEMPLATE_LIST_TEST_CASE("attention is softmax of scaled scores times values", "", Devices) {
  using D = TestType;
  using S = Scalar<D>;
  using T = Grad<D>;
  typename D::Context ctx(2);
  const AttentionShape shape{.batch = 2, .heads = 3, .queries = 67, .keys = 131, .head_dim = 8};
  const Index width = 24;
  const Tensor<S> q(2 * 67 * width, 1);
  const Tensor<S> k(2 * 131 * width, 2);
  const Tensor<S> v(2 * 131 * width, 3);
  auto out = Tensor<S>::poisoned(2 * 67 * width);
  auto lse = Tensor<T>::poisoned(6 * 67);
  D::attention(ctx, shape, Mat<const S>(q.values.data(), 134, width), Mat<const S>(k.values.data(), 262, width),
               Mat<const S>(v.values.data(), 262, width), Mat<S>(out.data(), 134, width), Mat<T>(lse.data(), 6, 67));
  std::vector<double> expected(static_cast<std::size_t>(134 * width));
  std::vector<double> expected_lse(6 * 67);
  for (Index b = 0; b < 2; ++b) {
    for (Index h = 0; h < 3; ++h) {
      for (Index i = 0; i < 67; ++i) {
        std::vector<double> score(131);
        double sum = 0;
        for (Index j = 0; j < 131; ++j) {
          double dot = 0;
          for (Index d = 0; d < 8; ++d)
            dot += q[(b * 67 + i) * width + h * 8 + d] * k[(b * 131 + j) * width + h * 8 + d];
          score[static_cast<std::size_t>(j)] = std::exp(dot / std::sqrt(8.0));
          sum += score[static_cast<std::size_t>(j)];
        }
        expected_lse[static_cast<std::size_t>((b * 3 + h) * 67 + i)] = std::log(sum);
        for (Index d = 0; d < 8; ++d) {
          double value = 0;
          for (Index j = 0; j < 131; ++j)
            value += score[static_cast<std::size_t>(j)] / sum * v[(b * 131 + j) * width + h * 8 + d];
          expected[static_cast<std::size_t>((b * 67 + i) * width + h * 8 + d)] = value;
        }
      }
    }
  }
  require_close(out, 134 * width, tolerance<S>(20), [&](Index i) { return expected[static_cast<std::size_t>(i)]; });
  require_close(lse, 6 * 67, tolerance<T>(20), [&](Index i) { return expected_lse[static_cast<std::size_t>(i)]; });
}

/// Attention's gradients on device D for the same bf16 numbers, of all heads together or of each on its own.
template <class D>
struct AttentionGradients {
  using S = Scalar<D>;
  using T = Grad<D>;

  AttentionShape shape;
  Index width = shape.heads * shape.head_dim;
  Index queries = shape.batch * shape.queries;
  Index keys = shape.batch * shape.keys;
  Tensor<S> q = rounded(queries * width, 1);
  Tensor<S> k = rounded(keys * width, 2);
  Tensor<S> v = rounded(keys * width, 3);
  Tensor<S> dout = rounded(queries * width, 4);
  Tensor<S> out = Tensor<S>::poisoned(queries * width);
  Tensor<S> dq = Tensor<S>::poisoned(queries * width);
  Tensor<S> dk = Tensor<S>::poisoned(keys * width);
  Tensor<S> dv = Tensor<S>::poisoned(keys * width);

  explicit AttentionGradients(const AttentionShape& s) : shape(s) {}

  /// Computes those of `heads` heads from `first`, as if there were no others.
  void compute(int threads, Index first, Index heads) {
    const AttentionShape part{shape.batch, heads, shape.queries, shape.keys, shape.head_dim};
    auto lse = Tensor<T>::poisoned(shape.batch * heads * shape.queries);
    const Mat<T> lm(lse.data(), shape.batch * heads, shape.queries);
    const auto of = [&](Tensor<S>& t, Index rows) {
      return Mat<S>(t.data() + first * shape.head_dim, rows, heads * shape.head_dim).with_stride(width);
    };
    typename D::Context ctx(threads);
    D::attention(ctx, part, of(q, queries), of(k, keys), of(v, keys), of(out, queries), lm);
    D::attention_backward(ctx, part, of(q, queries), of(k, keys), of(v, keys), of(out, queries), lm, of(dout, queries),
                          of(dq, queries), of(dk, keys), of(dv, keys));
  }

  /// Those of q, k and v, one after another.
  std::vector<double> all() const {
    std::vector<double> values;
    for (const Tensor<S>* t : {&dq, &dk, &dv}) {
      for (Index i = 0; i < static_cast<Index>(t->values.size()); ++i) values.push_back((*t)[i]);
    }
    return values;
  }

  static Tensor<S> rounded(Index n, std::uint64_t seed) {
    Tensor<S> t(n, 0);
    const Tensor<bf16> values(n, seed);
    for (Index i = 0; i < n; ++i) t.data()[i] = S(static_cast<float>(values[i]));
    return t;
  }
};

// Few heads, which are cut into parts; many, whose 150 queries and 131 keys are more than a block; and four whose parts
// have several blocks.
const std::vector<AttentionShape> attention_shapes{
    {.batch = 2, .heads = 3, .queries = 67, .keys = 131, .head_dim = 8},
    {.batch = 1, .heads = 13, .queries = 150, .keys = 131, .head_dim = 8},
    {.batch = 1, .heads = 4, .queries = 600, .keys = 800, .head_dim = 8},
};

void require_close(const std::vector<double>& got, const std::vector<double>& expected, double tolerance) {
  REQUIRE(got.size() == expected.size());
  double largest = 0;
  for (const double x : expected) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("element " << i);
    REQUIRE(std::abs(got[i] - expected[i]) <= tolerance * largest);
  }
}

// Those of double are proved by finite differences in tests/nn.
TEMPLATE_LIST_TEST_CASE("attention has the gradients of double", "", Devices) {
  for (const AttentionShape& shape : attention_shapes) {
    AttentionGradients<TestType> got(shape);
    AttentionGradients<Cpu<double>> expected(shape);
    got.compute(2, 0, shape.heads);
    expected.compute(2, 0, shape.heads);
    require_close(got.all(), expected.all(), tolerance<Scalar<TestType>>(20));
  }
}

TEST_CASE("attention of many heads is that of each alone, however both are cut") {
  for (const AttentionShape& shape : attention_shapes) {
    AttentionGradients<Cpu<double>> together(shape);
    AttentionGradients<Cpu<double>> apart(shape);
    together.compute(2, 0, shape.heads);
    for (Index head = 0; head < shape.heads; ++head) apart.compute(2, head, 1);
    require_close(together.all(), apart.all(), tolerance<double>(20));
  }
}

TEST_CASE("attention has the same bytes for any number of threads") {
  for (const AttentionShape& shape : attention_shapes) {
    AttentionGradients<Cpu<float>> one(shape);
    one.compute(1, 0, shape.heads);
    for (const int threads : {2, 5}) {
      AttentionGradients<Cpu<float>> many(shape);
      many.compute(threads, 0, shape.heads);
      CHECK(many.out.values == one.out.values);
      CHECK(many.all() == one.all());
    }
  }
}

TEMPLATE_LIST_TEST_CASE("softmax survives scores that overflow", "", Devices) {
  using D = TestType;
  using S = Scalar<D>;
  typename D::Context ctx(1);
  const std::vector<S> q{S(1000.0f), S(1000.0f)};
  const std::vector<S> k{S(1000.0f), S(-1000.0f)};
  const std::vector<S> v{S(3.0f), S(5.0f)};
  std::vector<S> out(2);
  D::attention(ctx, {.batch = 1, .heads = 1, .queries = 2, .keys = 2, .head_dim = 1}, Mat<const S>(q.data(), 2, 1),
               Mat<const S>(k.data(), 2, 1), Mat<const S>(v.data(), 2, 1), Mat<S>(out.data(), 2, 1), {});
  CHECK(double(out[0]) == 3.0);
  CHECK(double(out[1]) == 3.0);
}

TEMPLATE_LIST_TEST_CASE("the number of threads changes no byte", "", Devices) {
  using D = TestType;
  using S = Scalar<D>;
  using T = Grad<D>;
  const Index rows = 300;
  const Index width = 96;
  const auto run = [&](int threads) {
    typename D::Context ctx(threads);
    const Tensor<S> x(rows * width, 1);
    const Tensor<S> w(width * width, 2);
    const Tensor<S> b(width, 3);
    Tensor<S> y(rows * width, 4);
    Tensor<T> dw(width * width, 5);
    Tensor<T> db(width, 6);
    Tensor<T> stats(rows * 2, 7);
    Tensor<T> norm(1, 8);
    const Mat<const S> xv(x.values.data(), rows, width);
    const Mat<S> yv(y.data(), rows, width);
    D::linear(ctx, xv, Mat<const S>(w.values.data(), width, width), Vec<const S>(b.values.data(), width), yv);
    D::linear_backward_weights(ctx, xv, yv, Mat<T>(dw.data(), width, width), Vec<T>(db.data(), width));
    D::layer_norm(ctx, xv, Vec<const S>(b.values.data(), width), Vec<const S>(b.values.data(), width), 1e-6, yv,
                  Mat<T>(stats.data(), rows, 2));
    D::layer_norm_backward(ctx, yv, xv, Vec<const S>(b.values.data(), width), Mat<T>(stats.data(), rows, 2), {}, yv,
                           Vec<T>(db.data(), width), Vec<T>(dw.data(), width));
    D::norm(ctx, Vec<T>(dw.data(), width * width), Vec<T>(norm.data(), 1));
    std::vector<double> all;
    for (Index i = 0; i < rows * width; ++i) all.push_back(y[i]);
    for (Index i = 0; i < width * width; ++i) all.push_back(dw[i]);
    for (Index i = 0; i < width; ++i) all.push_back(db[i]);
    all.push_back(norm[0]);
    return all;
  };
  const auto one = run(1);
  CHECK(run(2) == one);
  CHECK(run(5) == one);
}

TEST_CASE("tokens are gathered, added to, filled and summed where the indices say") {
  using D = Cpu<float>;
  D::Context ctx(2);
  const std::vector<float> source{0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121};  // [2, 3, 2]
  const std::vector<std::int32_t> idx{2, 0, 1, 1};
  const TokenIndices indices(idx.data(), 2, 2);
  std::vector<float> x(8, -1);
  const Seq<float> xv(x.data(), 2, 2, 2);
  D::gather_tokens(ctx, Seq<const float>(source.data(), 2, 3, 2), indices, xv);
  CHECK(x == std::vector<float>{20, 21, 0, 1, 110, 111, 110, 111});
  const std::vector<float> table{0.5f, 0.25f, 1.5f, 1.25f, 2.5f, 2.25f};
  D::add_positions(ctx, Mat<const float>(table.data(), 3, 2), indices, xv);
  CHECK(x == std::vector<float>{22.5f, 23.25f, 0.5f, 1.25f, 111.5f, 112.25f, 111.5f, 112.25f});
  std::vector<float> sum{1, 2};
  D::sum_tokens(ctx, Seq<const float>(xv).tokens(1, 1), Vec<float>(sum.data(), 2));
  CHECK(sum == std::vector<float>{113, 115.5f});
  const std::vector<float> token{7, 8};
  D::fill_tokens(ctx, Vec<const float>(token.data(), 2), xv.tokens(0, 1));
  CHECK(x == std::vector<float>{7, 8, 0.5f, 1.25f, 7, 8, 111.5f, 112.25f});
}

// oneDNN's older kernels move the stack pointer into the heap, where a handler would overwrite what others keep there.
TEMPLATE_LIST_TEST_CASE("signal handlers run on the thread's stack during products", "", Devices) {
  using S = Scalar<TestType>;
  typename TestType::Context ctx(1);
  const Index width = 768;
  const Tensor<S> x(width * width, 1);
  Tensor<S> dx(width * width, 2);
  const Mat<const S> in(x.values.data(), width, width);
  const TimerSignals signals;
  for (int i = 0; i < 1000 && signals.count < 20; ++i) {
    TestType::linear_backward_data(ctx, in, in, Mat<S>(dx.data(), width, width));
  }
  CHECK(signals.count > 0);
  CHECK(signals.elsewhere == 0);
}

TEST_CASE("an exception in a kernel reaches the caller") {
  cpu::Context ctx(2);
  CHECK_THROWS_WITH(cpu::parallel_for(ctx, 100,
                                      [](Index i, int) {
                                        if (i == 57) fail("number ", i);
                                      }),
                    Contains("number 57"));
}
