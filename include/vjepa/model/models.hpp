#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "vjepa/core/error.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/model/vit.hpp"

namespace vjepa {

/// A string as a template argument.
template <std::size_t N>
struct FixedString {
  std::array<char, N> characters{};

  consteval FixedString(const char (&text)[N]) { std::copy(text, text + N, characters.begin()); }
  constexpr std::string_view view() const { return {characters.data(), N - 1}; }
};

/// For experiments on small videos that a CPU trains on for minutes: one token for all of a crop of 32 pixels. Not an
/// official size.
template <Index Patch = 32, Index Frames = 2>
using ViTNano = ViT<VitDims{.dim = 192, .depth = 4, .heads = 6, .patch = Patch, .tubelet = Frames}>;

// The official sizes, for any patch and tubelet.
template <Index Patch = 16, Index Frames = 2>
using ViTTiny = ViT<VitDims{.dim = 192, .depth = 12, .heads = 3, .patch = Patch, .tubelet = Frames}>;
template <Index Patch = 16, Index Frames = 2>
using ViTSmall = ViT<VitDims{.dim = 384, .depth = 12, .heads = 6, .patch = Patch, .tubelet = Frames}>;
template <Index Patch = 16, Index Frames = 2>
using ViTBase = ViT<VitDims{.dim = 768, .depth = 12, .heads = 12, .patch = Patch, .tubelet = Frames}>;
template <Index Patch = 16, Index Frames = 2>
using ViTLarge = ViT<VitDims{.dim = 1024, .depth = 24, .heads = 16, .patch = Patch, .tubelet = Frames}>;
template <Index Patch = 16, Index Frames = 2>
using ViTHuge = ViT<VitDims{.dim = 1280, .depth = 32, .heads = 16, .patch = Patch, .tubelet = Frames}>;
template <Index Patch = 16, Index Frames = 2>
using ViTGiant =
    ViT<VitDims{.dim = 1408, .depth = 40, .heads = 16, .hidden = 1408 * 48 / 11, .patch = Patch, .tubelet = Frames}>;
// The official code misspells the argument for an MLP ratio of 64/13, so that the default of 4 holds.
template <Index Patch = 14, Index Frames = 2>
using ViTGigantic = ViT<VitDims{.dim = 1664, .depth = 48, .heads = 16, .patch = Patch, .tubelet = Frames}>;

/// A transformer under a name.
template <FixedString Name, class E>
struct NamedModel {
  static constexpr std::string_view name = Name.view();
  using Encoder = E;
};

/// A list of named models, from which a run-time name selects one at compile time.
template <class... Models>
struct ModelList {
  /// Calls visit.template operator()<Encoder>() for the model of this name, patch and tubelet, and returns what it
  /// returns. Throws Error, listing what there is, when the list has none.
  template <class Visit>
  static void with(std::string_view name, Index patch, Index tubelet, Visit&& visit) {
    const auto matches = [&]<class Model>() {
      return Model::name == name && Model::Encoder::dims.patch == patch && Model::Encoder::dims.tubelet == tubelet;
    };
    const auto try_one = [&]<class Model>() {
      if (!matches.template operator()<Model>()) return false;
      visit.template operator()<typename Model::Encoder>();
      return true;
    };
    const bool found = (try_one.template operator()<Models>() || ...);
    if (!found) {
      fail("no model '", name, "' with patches of ", patch, " pixels and tubelets of ", tubelet,
           " frames is compiled in; there are: ", names());
    }
  }

  /// Calls visit.template operator()<Model>() for every model.
  template <class Visit>
  static void each(Visit&& visit) {
    (visit.template operator()<Models>(), ...);
  }

  /// "vit_tiny (patch 16, tubelet 2), ..."
  static std::string names() {
    std::string list;
    each([&]<class Model>() {
      constexpr VitDims dims = Model::Encoder::dims;
      list += text(list.empty() ? "" : ", ", Model::name, " (patch ", dims.patch, ", tubelet ", dims.tubelet, ")");
    });
    return list;
  }
};

/// What the programs know by name. A line adds a model.
using NamedModels = ModelList<NamedModel<"vit_nano", ViTNano<>>,          //
                              NamedModel<"vit_nano", ViTNano<16>>,        //
                              NamedModel<"vit_tiny", ViTTiny<>>,          //
                              NamedModel<"vit_small", ViTSmall<>>,        //
                              NamedModel<"vit_base", ViTBase<>>,          //
                              NamedModel<"vit_large", ViTLarge<>>,        //
                              NamedModel<"vit_huge", ViTHuge<>>,          //
                              NamedModel<"vit_giant", ViTGiant<>>,        //
                              NamedModel<"vit_gigantic", ViTGigantic<>>,  //
                              NamedModel<"vit_tiny", ViTTiny<8>>>;        // for small videos

/// Widths of predictors, from which a run-time number selects one at compile time. A predictor has as many heads as its
/// encoder, each of a multiple of 8 features, as tensor cores take them.
template <Index... Widths>
struct PredictorWidths {
  /// Calls visit.template operator()<Predictor>() for the predictor of this width. Throws Error, listing what there is,
  /// when there is none.
  template <class Encoder, class Visit>
  static void with(Index width, Visit&& visit) {
    constexpr Index heads = Encoder::dims.heads;
    const auto try_one = [&]<Index Width>() {
      if constexpr (Width % (8 * heads) == 0) {
        if (Width != width) return false;
        constexpr PredictorDims dims{.encoder_dim = Encoder::dim, .dim = Width, .heads = heads};
        visit.template operator()<Predictor<dims>>();
        return true;
      } else {
        return false;
      }
    };
    if (!(try_one.template operator()<Widths>() || ...)) {
      std::string list;
      ((list += Widths % (8 * heads) == 0 ? (list.empty() ? "" : ", ") + std::to_string(Widths) : ""), ...);
      fail("no predictor of width ", width, " with the encoder's ", heads, " heads is compiled in; there are: ", list);
    }
  }
};

/// What the programs know. A number adds a width.
using NamedPredictorWidths = PredictorWidths<96, 192, 384>;

}  // namespace vjepa
