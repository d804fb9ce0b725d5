#include "vjepa/core/view.hpp"

#include <numeric>
#include <type_traits>
#include <vector>

#include "catch.hpp"

using namespace vjepa;

TEST_CASE("extents are static or given, elements row-major") {
  std::vector<int> data(24);
  std::iota(data.begin(), data.end(), 0);
  const View<int, Dyn, 3, Dyn> v(data.data(), 2, 4);
  CHECK(v.extent(0) == 2);
  CHECK(v.extent(1) == 3);
  CHECK(v.extent(2) == 4);
  CHECK(v.size() == 24);
  CHECK(v.dense());
  CHECK(v(1, 2, 3) == 23);
  CHECK(v(1, 0, 2) == 14);
}

TEST_CASE("a view converts to less static and to const, never back") {
  std::vector<float> data(12);
  const View<float, Dyn, 4> v(data.data(), 3);
  const Mat<const float> m = v;
  CHECK(m.rows() == 3);
  CHECK(m.cols() == 4);
  STATIC_REQUIRE(std::is_convertible_v<View<float, 3, 4>, Mat<const float>>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<Mat<const float>, Mat<float>>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<View<float, Dyn, 5>, View<float, Dyn, 4>>);
}

TEST_CASE("slices, columns and tokens share the memory") {
  std::vector<int> data(24);
  std::iota(data.begin(), data.end(), 0);
  const View<int, Dyn, 6> m(data.data(), 4);
  const auto rows = m.slice(1, 2);
  CHECK(rows.rows() == 2);
  CHECK(rows(0, 0) == 6);
  const auto columns = m.columns<2>(3);
  CHECK(columns.rows() == 4);
  CHECK(columns(2, 1) == 16);
  CHECK_FALSE(columns.dense());
  const Seq<int> s(data.data(), 2, 4, 3);
  const auto tail = s.tokens(1, 2);
  CHECK(tail.extent(1) == 2);
  CHECK(tail(1, 0, 0) == 15);
  CHECK(tail.stride() == 12);
  CHECK(s.as_rows().rows() == 8);
  CHECK(s.as_matrix().cols() == 12);
}

TEST_CASE("an empty view has static extents and no data") {
  constexpr View<float, 2, 5> v;
  STATIC_REQUIRE(v.empty());
  STATIC_REQUIRE(v.size() == 10);
  CHECK(View<float, Dyn, 5>().size() == 0);
}
