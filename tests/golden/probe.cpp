// The official attentive classifier on given tokens: logits, cross-entropy and every gradient.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "program_gemm.hpp"
#include "reference.hpp"
#include "vjepa/core/estimate.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/model/attentive_classifier.hpp"
#include "vjepa/model/weights.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

constexpr Index dim = 32;
using Model = AttentiveClassifier<PoolerDims{.dim = dim, .heads = 2}>;

/// What the classifier and its loss give for the file's tokens.
template <class D>
struct Answer {
  std::vector<Scalar<D>> logits;
  std::vector<Scalar<D>> inferred;
  std::vector<Scalar<D>> dtokens;
  std::vector<Grad<D>> gradients;
  Grad<D> loss = 0;
};

template <class D>
Answer<D> run(const Checkpoint& file, const Model& model) {
  using S = Scalar<D>;
  using T = Grad<D>;
  const StoredTensor& stored = file.at("tokens");
  const Sequences s{.batch = stored.shape[0], .tokens = stored.shape[1]};
  const auto values = stored.as<float>();
  const std::vector<S> tokens(values.begin(), values.end());
  const auto labels = file.at("labels").as<std::int32_t>();

  typename D::Context ctx(2);
  Weights<D, Model> weights(ctx, model);
  weights.upload(ctx, read_params<T>(file, "weights.", weights.layout()));
  Answer<D> out;
  out.logits.resize(static_cast<std::size_t>(s.batch * model.classes));
  out.inferred = out.dtokens = out.logits;
  out.dtokens.resize(tokens.size());
  out.gradients.resize(static_cast<std::size_t>(weights.layout().size()));
  std::vector<S> dlogits(out.logits.size());

  const auto run_on = [&]<class E>(typename E::Context& context, Arena<E>& arena) {
    const In<E, dim> x(tokens.data(), s.rows());
    const Mat<S> logits(out.logits.data(), s.batch, model.classes);
    typename Model::template Saved<E> saved;
    Model::template infer<E>(context, arena, weights.params(), s, x,
                             Mat<S>(out.inferred.data(), s.batch, model.classes));
    Model::template forward<E>(context, arena, weights.params(), s, x, logits, saved);
    E::cross_entropy(context, logits, Labels(labels.data(), s.batch), 1.0 / static_cast<double>(s.batch),
                     Vec<T>(&out.loss, 1), Mat<S>(dlogits.data(), s.batch, model.classes));
    Model::template backward<E>(
        context, arena, weights.params(), s, saved, Mat<const S>(dlogits.data(), s.batch, model.classes),
        Out<E, dim>(out.dtokens.data(), s.rows()), weights.layout().template bind<T>(model, out.gradients.data()));
  };
  typename Estimate<D>::Context dry;
  Arena<Estimate<D>> dry_arena(dry, Estimate<D>::unlimited);
  run_on.template operator()<Estimate<D>>(dry, dry_arena);
  Arena<D> arena(ctx, dry_arena.peak());
  run_on.template operator()<D>(ctx, arena);
  return out;
}

}  // namespace

// bf16 keeps 8 bits of every activation: logits agree to about a hundredth, gradients to a few.
TEMPLATE_TEST_CASE_SIG("the official attentive classifier: logits, loss, every gradient", "",
                       ((class D, int Micro, int GradientMicro), D, Micro, GradientMicro), (Cpu<float>, 2, 5),
                       (Cpu<double>, 2, 5), (Cpu<float, ProgramGemm>, 2, 5), (Cpu<bf16>, 20000, 40000),
                       (Cpu<bf16, ProgramGemm>, 20000, 40000)) {
  using T = Grad<D>;
  const auto path = VJEPA_GOLDEN("probe");
  for (const Index depth : {1, 2}) {
    INFO("depth " << depth);
    const Checkpoint file(path / ("attentive_depth" + std::to_string(depth) + ".safetensors"));
    const Model model{.depth = depth, .classes = file.at("logits").shape[1]};
    const Answer<D> got = run<D>(file, model);
    CHECK(relative_error(got.logits, file.at("logits").template as<double>()) < Micro * 1e-6);
    CHECK(relative_error(got.inferred, file.at("logits").template as<double>()) < Micro * 1e-6);
    CHECK(static_cast<double>(got.loss) == Approx(file.at("loss").template as<double>()[0]).epsilon(Micro * 1e-6));
    CHECK(relative_error(got.dtokens, file.at("grad.tokens").template as<double>()) < GradientMicro * 1e-6);
    const ParamLayout layout(model);
    for (const ParamInfo& p : layout.params()) {
      const StoredTensor* expected = file.find("grad." + p.name);
      const auto mine = param_of(got.gradients, p);
      INFO(p.name);
      if (expected == nullptr) {
        CHECK(p.name.find(".xattn.proj.") != std::string::npos);
        CHECK(std::all_of(mine.begin(), mine.end(), [](T v) { return v == 0; }));
      } else {
        CHECK(relative_error(mine, expected->template as<double>()) < GradientMicro * 1e-6);
      }
    }
  }
}
