#pragma once

#include <cassert>
#include <cstddef>
#include <type_traits>

#include "vjepa/core/host_device.hpp"

namespace vjepa {

using Index = std::ptrdiff_t;

/// An extent that is known at run time only.
inline constexpr Index Dyn = -1;

/// A non-owning, row-major view of a tensor, each extent static or `Dyn`.
///
/// All dimensions after the first are contiguous; the first may have a stride of its own, which is
/// what a slice of columns or of tokens needs: element (i, j, k) lies at
/// `data()[i * stride() + j * extent(2) + k]`. Memory is not necessarily the host's: only a device's
/// functions may touch the elements, except where the device says otherwise.
template <class T, Index... E>
class View {
 public:
  using value_type = T;
  static constexpr int rank = sizeof...(E);
  static_assert(rank >= 1, "vjepa::View: a view has at least one dimension");

  VJEPA_HOST_DEVICE static constexpr Index static_extent(int dim) {
    constexpr Index extents[] = {E...};
    return extents[dim];
  }

  /// An empty view: no data, every dynamic extent 0.
  constexpr View() = default;

  /// A dense view; the arguments are its dynamic extents in order.
  template <class... Dynamic>
  requires(sizeof...(Dynamic) == (0 + ... + (E == Dyn ? 1 : 0)) &&
           (std::is_convertible_v<Dynamic, Index> && ...)) VJEPA_HOST_DEVICE
      constexpr explicit View(T* data, Dynamic... dynamic)
      : data_(data) {
    const Index given[] = {static_cast<Index>(dynamic)..., 0};
    int next = 0;
    for (int d = 0; d < rank; ++d) extents_[d] = static_extent(d) == Dyn ? given[next++] : static_extent(d);
    stride_ = inner_size();
  }

  /// The same elements under other extents, static or dynamic; each must agree where both are known.
  template <class U, Index... F>
  requires(sizeof...(F) == rank && std::is_convertible_v<U (*)[], T (*)[]> &&
           ((E == Dyn || F == Dyn || E == F) && ...)) VJEPA_HOST_DEVICE constexpr View(const View<U, F...>& other)
      : data_(other.data()), stride_(other.stride()) {
    for (int d = 0; d < rank; ++d) {
      assert(static_extent(d) == Dyn || other.data() == nullptr || static_extent(d) == other.extent(d));
      extents_[d] = other.extent(d);
    }
  }

  VJEPA_HOST_DEVICE constexpr T* data() const { return data_; }
  VJEPA_HOST_DEVICE constexpr bool empty() const { return data_ == nullptr; }
  VJEPA_HOST_DEVICE constexpr Index stride() const { return stride_; }

  VJEPA_HOST_DEVICE constexpr Index extent(int dim) const {
    return static_extent(dim) == Dyn ? extents_[dim] : static_extent(dim);
  }
  VJEPA_HOST_DEVICE constexpr Index rows() const { return extent(0); }
  VJEPA_HOST_DEVICE constexpr Index cols() const { return extent(rank - 1); }

  VJEPA_HOST_DEVICE constexpr Index size() const { return extent(0) * inner_size(); }
  VJEPA_HOST_DEVICE constexpr bool dense() const { return stride_ == inner_size() || extent(0) <= 1; }

  /// Pointer to the first element of index `i` of the first dimension.
  VJEPA_HOST_DEVICE constexpr T* row(Index i) const { return data_ + i * stride_; }

  template <class... I>
  requires(sizeof...(I) == rank) VJEPA_HOST_DEVICE constexpr T& operator()(I... index) const {
    const Index i[] = {static_cast<Index>(index)...};
    Index inner = 0;
    for (int d = 1; d < rank; ++d) inner = inner * extent(d) + i[d];
    return data_[i[0] * stride_ + inner];
  }

  /// Indices [begin, begin + count) of the first dimension.
  VJEPA_HOST_DEVICE constexpr auto slice(Index begin, Index count) const {
    return leading_dynamic(begin * stride_, count);
  }

  /// Indices [begin, begin + Count) of the second and last dimension of a matrix.
  template <Index Count>
  VJEPA_HOST_DEVICE constexpr auto columns(Index begin) const {
    static_assert(rank == 2, "vjepa::View::columns: only a matrix has columns");
    return View<T, Dyn, Count>(data_ + begin, extent(0)).with_stride(stride_);
  }

  /// Tokens [begin, begin + count) of every element of a [batch, tokens, features] view.
  VJEPA_HOST_DEVICE constexpr auto tokens(Index begin, Index count) const {
    static_assert(rank == 3, "vjepa::View::tokens: wants [batch, tokens, features]");
    using Slice = View<T, Dyn, Dyn, static_extent(rank - 1)>;
    if constexpr (static_extent(2) == Dyn) {
      return Slice(data_ + begin * extent(2), extent(0), count, extent(2)).with_stride(stride_);
    } else {
      return Slice(data_ + begin * extent(2), extent(0), count).with_stride(stride_);
    }
  }

  /// All dimensions but the last merged into rows. The view must be dense.
  VJEPA_HOST_DEVICE constexpr auto as_rows() const {
    assert(dense());
    constexpr Index last = static_extent(rank - 1);
    const Index count = cols() == 0 ? 0 : size() / cols();
    if constexpr (last == Dyn) {
      return View<T, Dyn, Dyn>(data_, count, cols());
    } else {
      return View<T, Dyn, last>(data_, count);
    }
  }

  /// The first dimension as rows, all others merged into columns: how a convolution over patches becomes a
  /// product.
  VJEPA_HOST_DEVICE constexpr View<T, Dyn, Dyn> as_matrix() const {
    return View<T, Dyn, Dyn>(data_, extent(0), inner_size()).with_stride(stride_);
  }

  /// The elements as one dimension. The view must be dense.
  VJEPA_HOST_DEVICE constexpr View<T, Dyn> flat() const {
    assert(dense());
    return View<T, Dyn>(data_, size());
  }

  VJEPA_HOST_DEVICE constexpr View with_stride(Index stride) const {
    View view = *this;
    view.stride_ = stride;
    return view;
  }

  /// A dense view of the same extents over other memory.
  VJEPA_HOST_DEVICE constexpr View over(T* data) const {
    View view;
    view.data_ = data;
    for (int d = 0; d < rank; ++d) view.extents_[d] = extent(d);
    view.stride_ = inner_size();
    return view;
  }

 private:
  VJEPA_HOST_DEVICE constexpr Index inner_size() const {
    Index size = 1;
    for (int d = 1; d < rank; ++d) size *= extent(d);
    return size;
  }

  template <Index First, Index... Rest>
  struct WithDynamicFirst {
    using type = View<T, Dyn, Rest...>;
  };

  VJEPA_HOST_DEVICE constexpr auto leading_dynamic(Index offset, Index count) const {
    typename WithDynamicFirst<E...>::type view;
    view.data_ = data_ + offset;
    view.stride_ = stride_;
    for (int d = 0; d < rank; ++d) view.extents_[d] = extents_[d];
    view.extents_[0] = count;
    return view;
  }

  template <class, Index...>
  friend class View;

  T* data_ = nullptr;
  Index stride_ = 0;
  Index extents_[rank] = {};
};

/// [n] values, [rows, features] and [batch, tokens, features]: what device functions take. A view with
/// static extents converts to them.
template <class T>
using Vec = View<T, Dyn>;
template <class T>
using Mat = View<T, Dyn, Dyn>;
template <class T>
using Seq = View<T, Dyn, Dyn, Dyn>;

}  // namespace vjepa
