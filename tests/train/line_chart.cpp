#include "vjepa/train/line_chart.hpp"

#include <cmath>

#include "catch.hpp"

using namespace vjepa;

TEST_CASE("a chart draws its curves within its axes and escapes its texts") {
  LineChart chart("loss & more", "step", "loss");
  chart.add("a<b", {0, 1, 2, 3}, {1.0, 0.5, NAN, 0.25});
  const std::string svg = chart.svg();
  CHECK_THAT(svg, Contains("loss &amp; more") && Contains("a&lt;b") && Contains("</svg>"));
  CHECK_THAT(svg, !Contains("nan"));
}

TEST_CASE("a chart of nothing and a chart of one value are charts") {
  CHECK_THAT(LineChart("t", "x", "y").svg(), Contains("</svg>"));
  LineChart constant("t", "x", "y");
  constant.add("c", {5}, {0.0});
  CHECK_THAT(constant.svg(), Contains("polyline") && !Contains("nan") && !Contains("inf"));
}
