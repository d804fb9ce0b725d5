#pragma once

#include <cuda_runtime.h>
#include <cudnn.h>

#include <array>
#include <cmath>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/cuda/attention.hpp"
#include "vjepa/cuda/context.hpp"
#include "vjepa/cuda/packs.hpp"
#include "vjepa/cuda/resource.hpp"

#if CUDNN_VERSION < 91301
#error "vjepa/cuda/cudnn_attention.hpp needs cuDNN 9.13.1 or later, whose graphs have attention as one operation"
#endif

namespace vjepa::cuda {

inline void check(const char* call, cudnnStatus_t status) {
  if (status != CUDNN_STATUS_SUCCESS) fail(call, " failed: ", cudnnGetErrorString(status));
}

/// A descriptor of cuDNN's backend ("cuDNN Backend API", NVIDIA): attributes are set, then it is finished.
class CudnnDescriptor {
 public:
  explicit CudnnDescriptor(cudnnBackendDescriptorType_t type) {
    cudnnBackendDescriptor_t made = nullptr;
    check("cudnnBackendCreateDescriptor", cudnnBackendCreateDescriptor(type, &made));
    descriptor_.reset(made);
  }

  cudnnBackendDescriptor_t get() const { return descriptor_.get(); }

  template <class T>
  CudnnDescriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const T* values,
                       std::size_t count = 1) {
    check("cudnnBackendSetAttribute",
          cudnnBackendSetAttribute(get(), name, type, static_cast<std::int64_t>(count), values));
    return *this;
  }
  CudnnDescriptor& set(cudnnBackendAttributeName_t name, const CudnnDescriptor& part) {
    const cudnnBackendDescriptor_t raw = part.get();
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, &raw);
  }
  CudnnDescriptor& finish() {
    check("cudnnBackendFinalize", cudnnBackendFinalize(get()));
    return *this;
  }
  /// Whether cuDNN took it: plans are tried.
  bool try_finish() { return cudnnBackendFinalize(get()) == CUDNN_STATUS_SUCCESS; }

 private:
  Handle<cudnnBackendDescriptor_t, cudnnBackendDestroyDescriptor> descriptor_;
};

/// What a plan of cuDNN's attention is made for. Strides are those between rows, in values.
struct CudnnAttentionKey {
  Index batch;
  Index heads;
  Index queries;
  Index keys;
  Index head_dim;
  Index q_stride;
  Index k_stride;
  Index v_stride;
  Index out_stride;
  bool keeps_lse;

  auto operator<=>(const CudnnAttentionKey&) const = default;
};

/// cuDNN's attention of bf16: one graph of one operation for each shape, with the first engine of the heuristics that
/// gives the same bytes in every run.
class CudnnAttentionPlans {
 public:
  explicit CudnnAttentionPlans(Context& ctx) {
    cudnnHandle_t handle = nullptr;
    check("cudnnCreate", cudnnCreate(&handle));
    handle_.reset(handle);
    check("cudnnSetStream", cudnnSetStream(handle, ctx.stream()));
  }

  /// Whether cuDNN has an engine for it.
  bool supports(const CudnnAttentionKey& key) { return !plan(key).engine.empty(); }

  /// `lse` is null where the key says so.
  void forward(Context& ctx, const CudnnAttentionKey& key, const bf16* q, const bf16* k, const bf16* v, bf16* out,
               float* lse) {
    const Plan& p = plan(key);
    float scale = 1.0f / std::sqrt(static_cast<float>(key.head_dim));
    const std::array<void*, 6> data{const_cast<bf16*>(q), const_cast<bf16*>(k), const_cast<bf16*>(v), out, &scale, lse};
    const std::array<std::int64_t, 6> ids{id_q, id_k, id_v, id_out, id_scale, id_lse};
    const std::size_t count = key.keeps_lse ? 6 : 5;
    void* const workspace = p.workspace > 0 ? ctx.scratch<std::byte>(p.workspace) : nullptr;
    CudnnDescriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, data.data(), count)
        .set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, ids.data(), count)
        .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, &workspace)
        .finish();
    check("cudnnBackendExecute", cudnnBackendExecute(handle_.get(), p.engine.front().get(), pack.get()));
  }

 private:
  static constexpr std::int64_t id_q = 1;
  static constexpr std::int64_t id_k = 2;
  static constexpr std::int64_t id_v = 3;
  static constexpr std::int64_t id_out = 4;
  static constexpr std::int64_t id_scale = 5;
  static constexpr std::int64_t id_lse = 6;

  struct Plan {
    std::vector<CudnnDescriptor> engine;  // the execution plan; none where cuDNN does not support the shape
    std::int64_t workspace = 0;           // bytes
  };

  const Plan& plan(const CudnnAttentionKey& key) {
    const auto known = plans_.find(key);
    if (known != plans_.end()) return known->second;
    // As for products: kept tokens change from step to step, and the bound guards against a caller without end.
    constexpr std::size_t most = 4096;
    if (plans_.size() >= most) plans_.clear();
    return plans_.emplace(key, made(key)).first->second;
  }

  using Four = std::array<std::int64_t, 4>;

  static CudnnDescriptor tensor(std::int64_t id, cudnnDataType_t type, const Four& dims, const Four& strides,
                                bool on_host = false) {
    constexpr std::int64_t alignment = 16;
    CudnnDescriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    made.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, &id)
        .set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, &type)
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, &alignment)
        .set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, dims.data(), dims.size())
        .set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides.data(), strides.size());
    if (on_host) made.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, &on_host);
    made.finish();
    return made;
  }

  /// [batch, heads, tokens, head_dim] among rows of all heads.
  static CudnnDescriptor tokens(std::int64_t id, const CudnnAttentionKey& key, Index count, Index stride) {
    return tensor(id, CUDNN_DATA_BFLOAT16, {key.batch, key.heads, count, key.head_dim},
                  {count * stride, key.head_dim, stride, 1});
  }

  Plan made(const CudnnAttentionKey& key) const {
    const CudnnDescriptor q = tokens(id_q, key, key.queries, key.q_stride);
    const CudnnDescriptor k = tokens(id_k, key, key.keys, key.k_stride);
    const CudnnDescriptor v = tokens(id_v, key, key.keys, key.v_stride);
    const CudnnDescriptor out = tokens(id_out, key, key.queries, key.out_stride);
    const CudnnDescriptor scale = tensor(id_scale, CUDNN_DATA_FLOAT, {1, 1, 1, 1}, {1, 1, 1, 1}, true);
    const CudnnDescriptor lse = tensor(id_lse, CUDNN_DATA_FLOAT, {key.batch, key.heads, key.queries, 1},
                                       {key.heads * key.queries, key.queries, 1, 1});
    CudnnDescriptor attention(CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
    attention.set(CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, q)
        .set(CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, k)
        .set(CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, v)
        .set(CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, out)
        .set(CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, scale);
    if (key.keeps_lse) attention.set(CUDNN_ATTR_OPERATION_SDPA_FWD_STATSDESC, lse);
    if (!attention.try_finish()) return {};

    const cudnnHandle_t handle = handle_.get();
    CudnnDescriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, &handle)
        .set(CUDNN_ATTR_OPERATIONGRAPH_OPS, attention);
    if (!graph.try_finish()) return {};

    for (const CudnnDescriptor& config : configurations(graph)) {
      if (varies(config)) continue;
      Plan plan;
      CudnnDescriptor& engine = plan.engine.emplace_back(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
      engine.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, &handle)
          .set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
      if (!engine.try_finish()) continue;
      std::int64_t count = 0;
      check("cudnnBackendGetAttribute", cudnnBackendGetAttribute(engine.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                                                 CUDNN_TYPE_INT64, 1, &count, &plan.workspace));
      return plan;
    }
    return {};
  }

  /// What the heuristics offer, the best first.
  static std::vector<CudnnDescriptor> configurations(const CudnnDescriptor& graph) {
    constexpr std::size_t most = 8;
    const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    CudnnDescriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
        .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, &mode);
    if (!heuristics.try_finish()) return {};
    std::vector<CudnnDescriptor> found;
    std::vector<cudnnBackendDescriptor_t> raw;
    for (std::size_t i = 0; i < most; ++i) {
      found.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
      raw.push_back(found.back().get());
    }
    std::int64_t count = 0;
    check("cudnnBackendGetAttribute",
          cudnnBackendGetAttribute(heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                   static_cast<std::int64_t>(most), &count, raw.data()));
    found.erase(found.begin() + count, found.end());
    return found;
  }

  /// Whether the engine may give other bytes in another run.
  static bool varies(const CudnnDescriptor& config) {
    const CudnnDescriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    cudnnBackendDescriptor_t raw = engine.get();
    std::int64_t count = 0;
    check("cudnnBackendGetAttribute", cudnnBackendGetAttribute(config.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                                               CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw));
    std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
    check("cudnnBackendGetAttribute",
          cudnnBackendGetAttribute(raw, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                   static_cast<std::int64_t>(notes.size()), &count, notes.data()));
    for (std::int64_t i = 0; i < count; ++i) {
      if (notes[static_cast<std::size_t>(i)] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) return true;
    }
    return false;
  }

  Handle<cudnnHandle_t, cudnnDestroy> handle_;
  std::map<CudnnAttentionKey, Plan> plans_;
};

/// Attention policy: the forward pass of bf16 by cuDNN where it supports the shape and is faster, which it is for heads
/// of 48 features and more; what is left, and the backward pass, by FlashAttention. cuDNN's backward pass adds by
/// atomics, or, to be the same in every run, keeps scores of all pairs of tokens.
template <class S>
struct CudnnAttention : FlashAttention<S> {
  static std::string describe() {
    if constexpr (!std::is_same_v<S, bf16>) return FlashAttention<S>::describe();
    const std::size_t version = cudnnGetVersion();
    return text("cuDNN ", version / 10000, ".", version / 100 % 100, " (forward, heads of ", least_head_dim,
                " or more) and ", FlashAttention<S>::describe());
  }

  static void attention(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v, Mat<S> out,
                        Mat<float> lse) {
    if constexpr (std::is_same_v<S, bf16>) {
      const bool fits = shape.head_dim % 8 == 0 && shape.head_dim >= least_head_dim;
      if (fits && whole_packs(q, k, v, out)) {
        const CudnnAttentionKey key{.batch = shape.batch,
                                    .heads = shape.heads,
                                    .queries = shape.queries,
                                    .keys = shape.keys,
                                    .head_dim = shape.head_dim,
                                    .q_stride = q.stride(),
                                    .k_stride = k.stride(),
                                    .v_stride = v.stride(),
                                    .out_stride = out.stride(),
                                    .keeps_lse = !lse.empty()};
        auto& plans = ctx.kept<CudnnAttentionPlans>();
        const bool dense = lse.empty() || lse.stride() == shape.queries;
        if (dense && plans.supports(key)) {
          return plans.forward(ctx, key, q.data(), k.data(), v.data(), out.data(), lse.data());
        }
      }
    }
    FlashAttention<S>::attention(ctx, shape, q, k, v, out, lse);
  }

 private:
  static constexpr Index least_head_dim = 48;
};

}  // namespace vjepa::cuda
