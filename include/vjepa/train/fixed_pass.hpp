#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "vjepa/core/error.hpp"
#include "vjepa/data/read_ahead.hpp"
#include "vjepa/data/video_list.hpp"
#include "vjepa/train/fixed_views.hpp"
#include "vjepa/train/progress.hpp"

namespace vjepa {

/// Calls use(i, features) for every file of a list in order, read ahead on `threads` threads and encoded, and
/// skip(reason) for those that cannot be used. False as soon as interrupted() says so.
template <class Interrupted, class Use, class Skip>
bool each_fixed(FixedViews& views, const VideoList& list, int threads, const char* what, Interrupted&& interrupted,
                Use&& use, Skip&& skip) {
  struct Item {
    FixedViews::Sample sample;
    std::string error;
  };
  const Index count = list.size();
  ReadAhead<Item> ahead(count, threads, 2 * static_cast<std::size_t>(threads) + 2, ReadAhead<Item>::Full::wait,
                        [&](Index i, const auto& emit) {
                          Item item;
                          try {
                            item.sample = views.read(list.path(i));
                          } catch (const Error& e) {
                            item.error = e.what();
                          }
                          emit(std::move(item));
                        });
  Progress progress(what, count, std::max<Index>(1, count / 4));
  for (Index i = 0; i < count; ++i) {
    Item item = std::move(*ahead.next(i));
    if (item.error.empty()) {
      views.complete(item.sample);
      use(i, item.sample.features);
    } else {
      skip(item.error);
    }
    progress.show(i + 1, "");
    if (interrupted()) return false;
  }
  return true;
}

}  // namespace vjepa
