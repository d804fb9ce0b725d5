// Five training steps of the official trainer on a micro model: features, losses, every gradient, and the weights
// after AdamW and the moving average.

#include <cmath>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "program_gemm.hpp"
#include "reference.hpp"
#include "vjepa/core/estimate.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/model/weights.hpp"
#include "vjepa/optim/adamw.hpp"
#include "vjepa/train/jepa_pass.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

using Encoder = ViT<VitDims{.dim = 32, .depth = 2, .heads = 2, .patch = 4, .tubelet = 2}>;
using Guess = Predictor<PredictorDims{.encoder_dim = 32, .dim = 24, .heads = 2}>;
constexpr ClipSize clip_size{.frames = 8, .height = 16, .width = 16};
constexpr Index tokens = 64;

template <class D>
struct Micro {
  using T = Grad<D>;
  using Pass = JepaPass<D, Encoder, Guess>;

  typename D::Context ctx{2};
  Weights<D, Encoder> encoder{ctx, Encoder{}};
  Weights<D, Encoder> target{ctx, Encoder{}};
  Weights<D, Guess> predictor{ctx, Guess{.depth = 2, .mask_tokens = 2}};
  Array<D, T> encoder_gradient{ctx, encoder.layout().size()};
  Array<D, T> predictor_gradient{ctx, predictor.layout().size()};
  Array<D, T> scalars{ctx, 4};
  std::vector<T> encoder_positions = widen(Encoder::positions(clip_size, true));
  std::vector<T> predictor_positions = widen(Guess::positions(Encoder::grid(clip_size), true, true));

  static std::vector<T> widen(const std::vector<float>& v) { return {v.begin(), v.end()}; }

  void load(const Checkpoint& file, const std::string& prefix) {
    encoder.upload(ctx, read_params<T>(file, prefix + "encoder.", encoder.layout()));
    target.upload(ctx, read_params<T>(file, prefix + "target_encoder.", target.layout()));
    predictor.upload(ctx, read_params<T>(file, prefix + "predictor.", predictor.layout()));
  }

  Vec<T> scalar(Index i) { return scalars.view().slice(i, 1); }

  /// Runs the pass on the file's batch, its arena sized by a dry run.
  void run(const Checkpoint& step, typename Pass::Loss loss) {
    const StoredTensor& clips = step.at("clips");
    const Index batch = clips.shape[0];
    const auto given = clips.as<float>();
    const std::vector<Scalar<D>> pixels(given.begin(), given.end());
    const auto all = every_token(batch, tokens);
    std::vector<std::vector<std::int32_t>> lists;
    lists.reserve(4);
    std::vector<MaskGroup> groups;
    for (const char* group : {"0", "1"}) {
      const auto idx = [&](const char* name) {
        const StoredTensor& tensor = step.at(std::string(name) + group);
        lists.push_back(tensor.as<std::int32_t>());
        return TokenIndices(lists.back().data(), batch, tensor.shape[1]);
      };
      const TokenIndices context = idx("masks_enc.");
      groups.push_back({context, idx("masks_pred.")});
    }
    const Clips<const Scalar<D>> view(pixels.data(), batch, 3, clip_size.frames, clip_size.height, clip_size.width);
    const TokenIndices everything(all.data(), batch, tokens);
    const Mat<const T> first(encoder_positions.data(), tokens, 32);
    const Mat<const T> second(predictor_positions.data(), tokens, 24);
    const auto run_on = [&]<class E>(typename E::Context& context, Arena<E>& arena) {
      JepaPass<E, Encoder, Guess>::run(
          context, arena, {encoder.params(), target.params(), predictor.params(), first, second},
          {view, everything, groups}, {loss.exponent, loss.reg_coeff}, {scalar(0), scalar(1)},
          {encoder.layout().template bind<T>(Encoder{}, encoder_gradient.data()),
           predictor.layout().template bind<T>(predictor.module(), predictor_gradient.data())});
    };
    typename Estimate<D>::Context dry;
    Arena<Estimate<D>> dry_arena(dry, Estimate<D>::unlimited);
    run_on.template operator()<Estimate<D>>(dry, dry_arena);
    Arena<D> arena(ctx, dry_arena.peak());
    encoder_gradient.clear(ctx);
    predictor_gradient.clear(ctx);
    run_on.template operator()<D>(ctx, arena);
    CHECK(arena.peak() == dry_arena.peak());
  }

  double value(Index i) { return static_cast<double>(scalars.download(ctx)[static_cast<std::size_t>(i)]); }

  /// The largest relative error of a parameter's gradient.
  double gradient_error(const Checkpoint& step) {
    double worst = 0;
    const auto compare = [&](const ParamLayout& layout, const std::vector<T>& got, const std::string& prefix) {
      for (const ParamInfo& p : layout.params()) {
        const double error = relative_error(param_of(got, p), step.at("grad." + prefix + p.name).template as<T>());
        worst = std::max(worst, error);
      }
    };
    compare(encoder.layout(), encoder_gradient.download(ctx), "encoder.");
    compare(predictor.layout(), predictor_gradient.download(ctx), "predictor.");
    return worst;
  }

  /// The largest relative error of a parameter. The middle third of every qkv.bias, the bias of the keys, is left
  /// out: softmax does not see it, its gradient is rounding noise, and AdamW scales that noise to full steps.
  template <class M>
  double weight_error(const Weights<D, M>& weights, const Checkpoint& file, const std::string& prefix) {
    double worst = 0;
    const auto got = weights.download(ctx);
    for (const ParamInfo& p : weights.layout().params()) {
      auto mine = param_of(got, p);
      auto reference = file.at(prefix + p.name).template as<T>();
      if (p.name.ends_with("qkv.bias")) {
        const auto third = static_cast<std::ptrdiff_t>(mine.size() / 3);
        mine.erase(mine.begin() + third, mine.begin() + 2 * third);
        reference.erase(reference.begin() + third, reference.begin() + 2 * third);
      }
      const double error = relative_error(mine, reference);
      UNSCOPED_INFO(prefix << p.name << ": " << error);
      worst = std::max(worst, error);
    }
    return worst;
  }
};

/// The encoder's output on the tokens that `idx` names, as the file's tensor has it.
template <class D, class T>
double feature_error(Micro<D>& micro, const Weights<D, Encoder>& weights, const Checkpoint& step,
                     const std::vector<std::int32_t>& idx, const std::string& expected) {
  const StoredTensor& clips = step.at("clips");
  const Index batch = clips.shape[0];
  const auto given = clips.as<float>();
  const std::vector<Scalar<D>> pixels(given.begin(), given.end());
  const Index rows = static_cast<Index>(idx.size());
  std::vector<Scalar<D>> y(static_cast<std::size_t>(rows * 32));
  Arena<D> arena(micro.ctx, std::size_t{16} << 20);
  const typename Encoder::template Input<D> input{
      Clips<const Scalar<D>>(pixels.data(), batch, 3, clip_size.frames, clip_size.height, clip_size.width),
      TokenIndices(idx.data(), batch, rows / batch), View<const T, Dyn, 32>(micro.encoder_positions.data(), tokens)};
  Encoder::template infer<D>(micro.ctx, arena, weights.params(), input, Out<D, 32>(y.data(), rows));
  return relative_error(y, step.at(expected).template as<double>());
}

struct Tolerance {
  double feature;
  double loss;
  double gradient;
  double weights;
};

// bf16 holds 8 bits of every weight and activation. The loss is a mean and loses little; a gradient of the micro model
// passes two narrow networks and keeps about one digit; AdamW's first steps have the size of the learning rate,
// whatever the gradient, so that the weights agree to lr / |w|.
template <class D>
Tolerance tolerance() {
  if constexpr (std::is_same_v<Scalar<D>, bf16>)
    return {.feature = 2e-2, .loss = 3e-3, .gradient = 0.25, .weights = 2e-2};
  return {.feature = 1e-5, .loss = 1e-5, .gradient = 1e-5, .weights = 1e-5};
}

}  // namespace

TEMPLATE_TEST_CASE("five official training steps", "", Cpu<float>, Cpu<double>, Cpu<bf16>, (Cpu<float, ProgramGemm>),
                   (Cpu<bf16, ProgramGemm>)) {
  using D = TestType;
  using T = Grad<D>;
  const auto path = VJEPA_GOLDEN("micro");
  const auto json = nlohmann::json::parse(std::ifstream(path / "config.json"));
  const auto& config = json["config"];
  const Tolerance bound = tolerance<D>();

  Micro<D> micro;
  micro.load(Checkpoint(path / "weights.safetensors"), "");
  const typename AdamW<D>::Options options{config["betas"][0], config["betas"][1], config["eps"]};
  AdamW<D> encoder_adamw(micro.ctx, micro.encoder.layout(), options);
  AdamW<D> predictor_adamw(micro.ctx, micro.predictor.layout(), options);
  const double coefficient = config["reg_coeff"];
  for (int k = 0; k < 5; ++k) {
    INFO("step " << k);
    const Checkpoint step(path / ("step" + std::to_string(k) + ".safetensors"));
    CHECK(feature_error<D, T>(micro, micro.target, step, every_token(step.at("clips").shape[0], tokens),
                              "target_full") < bound.feature);
    for (const std::string group : {"0", "1"}) {
      const auto idx = step.at("masks_enc." + group).template as<std::int32_t>();
      CHECK(feature_error<D, T>(micro, micro.encoder, step, idx, "context." + group) < bound.feature);
    }
    micro.run(step, {config["loss_exp"], coefficient});
    CHECK(micro.value(0) + coefficient * micro.value(1) ==
          Approx(step.at("loss").template as<double>()[0]).epsilon(bound.loss));
    CHECK(micro.gradient_error(step) < bound.gradient);

    const auto update = [&](auto& weights, auto& gradient, AdamW<D>& adamw, Index norm,
                            const MovingAverage<Scalar<D>, T>& average) {
      D::norm(micro.ctx, gradient.view(), micro.scalar(norm));
      adamw.step(micro.ctx, gradient.view(), weights.arena(), config["lr"], config["weight_decay"],
                 {Vec<const T>(micro.scalar(norm)), config["clip_grad"]}, average);
    };
    update(micro.encoder, micro.encoder_gradient, encoder_adamw, 2, {micro.target.arena(), config["momentum"]});
    update(micro.predictor, micro.predictor_gradient, predictor_adamw, 3, {});
    CHECK(micro.value(2) == Approx(step.at("enc_grad_norm").template as<double>()[0]).epsilon(bound.gradient));
    CHECK(micro.value(3) == Approx(step.at("pred_grad_norm").template as<double>()[0]).epsilon(bound.gradient));
    if (step.find("after.encoder.norm.weight") != nullptr) {
      CHECK(micro.weight_error(micro.encoder, step, "after.encoder.") < bound.weights);
      CHECK(micro.weight_error(micro.target, step, "after.target_encoder.") < bound.weights);
      CHECK(micro.weight_error(micro.predictor, step, "after.predictor.") < bound.weights);
    }
  }
}

TEMPLATE_TEST_CASE("a loss of exponent 2 without regulariser", "", Cpu<float>, Cpu<double>, (Cpu<float, ProgramGemm>)) {
  const auto path = VJEPA_GOLDEN("micro");
  Micro<TestType> micro;
  micro.load(Checkpoint(path / "jepa-latest.expected.safetensors"), "");
  const Checkpoint step(path / "loss_exp2.safetensors");
  micro.run(step, {.exponent = 2, .reg_coeff = 0});
  CHECK(micro.value(0) == Approx(step.at("loss").template as<double>()[0]).epsilon(1e-5));
  CHECK(micro.gradient_error(step) < 1e-5);
}
