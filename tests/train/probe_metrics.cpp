#include "vjepa/train/probe_metrics.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/train/nearest_neighbours.hpp"
#include "vjepa/train/probe_results.hpp"

using namespace vjepa;
using namespace vjepa::test;

TEST_CASE("softmax sums to one and survives large logits") {
  const std::vector<double> p = softmax(std::vector<float>{1000, 1000, -1000});
  CHECK(p[0] == Approx(0.5));
  CHECK(p[2] == 0);
}

TEST_CASE("accuracy counts the first and the first five; of equal scores the first class comes first") {
  TopK scores;
  scores.add(std::vector<double>{6, 5, 4, 3, 2, 1}, 0);
  scores.add(std::vector<double>{6, 5, 4, 3, 2, 1}, 4);
  scores.add(std::vector<double>{6, 5, 4, 3, 2, 1}, 5);
  scores.add(std::vector<double>{0, 0, 0, 0, 0, 0}, 1);
  CHECK(scores.samples == 4);
  CHECK(scores.top1() == 25);
  CHECK(scores.top5() == 75);
  CHECK(ranked(std::vector<double>{1, 3, 3, 2}) == std::vector<std::size_t>{1, 2, 3, 0});
}

TEST_CASE("scores that are not numbers are not right") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  TopK scores;
  for (std::int64_t label : {0, 1, 2}) scores.add(std::vector<double>{nan, nan, nan, nan, nan, nan}, label);
  scores.add(std::vector<double>{nan, 0, 0}, 1);
  scores.add(std::vector<double>{0, nan, 0}, 1);
  CHECK(scores.top1() == 0);
}

TEST_CASE("a confusion matrix writes its counts, its picture and each class's accuracy") {
  const TemporaryFolder folder;
  ConfusionMatrix matrix({"a,b", "c\"d", "<e>"});
  matrix.add(0, 0);
  matrix.add(0, 0);
  matrix.add(0, 2);
  matrix.add(1, 0);
  matrix.write_csv(folder.path() / "m.csv");
  CHECK(bytes_of(folder.path() / "m.csv") ==
        "true\\predicted,\"a,b\",\"c\"\"d\",<e>\n\"a,b\",2,0,1\n\"c\"\"d\",1,0,0\n<e>,0,0,0\n");
  matrix.write_class_accuracy(folder.path() / "c.csv");
  CHECK(bytes_of(folder.path() / "c.csv") ==
        "class,samples,correct,accuracy\n\"a,b\",3,2,66.66667\n\"c\"\"d\",1,0,0.00000\n<e>,0,0,0.00000\n");
  matrix.write_svg(folder.path() / "m.svg", "a & b");
  const std::string svg = bytes_of(folder.path() / "m.svg");
  CHECK_THAT(svg, Contains("a &amp; b") && Contains("&lt;e>") && Contains("a,b as &lt;e>: 1") && Contains("</svg>"));
}

TEST_CASE("the nearest in cosine vote, the nearer the more") {
  NearestNeighbours neighbours(3, 2, 0.1);
  neighbours.add(std::vector<float>{1, 0}, 0);
  neighbours.add(std::vector<float>{0, 1}, 1);
  neighbours.add(std::vector<float>{100, 100}, 2);
  neighbours.add(std::vector<float>{-1, 0}, 1);
  const std::vector<double> votes = neighbours(std::vector<float>{2, 0.1f}, 1).front();
  CHECK(votes[0] > votes[2]);
  CHECK(votes[2] > 0);
  CHECK(votes[1] == 0);  // only two vote
  CHECK(votes[0] / votes[2] == Approx(std::exp((2 - 2.1 / std::sqrt(2)) / std::sqrt(4.01) / 0.1)).epsilon(1e-5));
}

TEST_CASE("neighbours of several features at once are those of each, the first added of equally near ones") {
  NearestNeighbours neighbours(4, 2, 0.1);
  for (const std::int64_t label : {0, 1, 2}) neighbours.add(std::vector<float>{3, 4, 5}, label);
  neighbours.add(std::vector<float>{3, 4, -5}, 3);
  const auto votes = neighbours(std::vector<float>{3, 4, -5, 6, 8, 10}, 2);
  REQUIRE(votes.size() == 2);
  CHECK(votes[0][3] > votes[0][0]);
  CHECK(votes[0][0] > 0);  // the first of three that are equally far
  CHECK(votes[0][1] + votes[0][2] == 0);
  CHECK(votes[1][0] == votes[1][1]);
  CHECK(votes[1][0] == Approx(std::exp(10)));
  CHECK(votes[1][2] + votes[1][3] == 0);
}

TEST_CASE("the accuracy of neighbours counts every feature, also those of a last block that is not full") {
  NearestNeighbours neighbours(2, 1, 0.1);
  neighbours.add(std::vector<float>{1, 0}, 0);
  neighbours.add(std::vector<float>{0, 1}, 1);
  NeighbourAccuracy accuracy(neighbours);
  for (int i = 0; i < 70; ++i) accuracy.add(std::vector<float>{2, i % 7 == 0 ? 3.0f : 1.0f}, 0);
  CHECK(accuracy.finish().samples == 70);
  CHECK(accuracy.finish().first == 60);
}

TEST_CASE("results come back from the table of a checkpoint, and the log has the official columns first") {
  const TemporaryFolder folder;
  ProbeResults results;
  results.epochs = {{1, 2, 3, 4, 5, 6, 7}, {8, 9, 10, 11, 12, 13, 14}};
  ProbeResults again;
  again.read_table(results.table(), "");
  REQUIRE(again.epochs.size() == 2);
  CHECK(again.table() == results.table());
  CHECK(again.epochs[1].val_top1 == 11);
  CHECK_THROWS_WITH(again.read_table({1, 2, 3}, "a.safetensors"), Contains("a.safetensors: ") && Contains("3 numbers"));
  again.write_csv(folder.path() / "log.csv");
  CHECK_THAT(bytes_of(folder.path() / "log.csv"), Contains("epoch,loss,acc,") && Contains("\n2,9.00000,11.00000,8.0"));
}
