#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "vjepa/core/view.hpp"
#include "vjepa/data/reader_threads.hpp"

namespace vjepa {

/// Reads several sources at once, each into a queue of its own, so that whoever takes their items source by source, in
/// order, seldom waits and memory stays bounded.
template <class Item>
class ReadAhead {
 public:
  /// Takes an item; false when no more are wanted.
  using Emit = std::function<bool(Item)>;
  /// Reads source i. What it throws, `next` throws to whoever takes that source's items.
  using Read = std::function<void(Index source, const Emit& emit)>;

  /// What happens when there is no room: reading waits, or the oldest item is dropped, for sources that do not wait.
  enum class Full { wait, drop_oldest };

  /// `capacity`: the most items held at once, at least 1.
  ReadAhead(Index sources, int threads, std::size_t capacity, Full full, Read read)
      : sources_(sources), capacity_(capacity), full_(full), read_(std::move(read)) {
    threads_ = start_readers(threads, [this] { work(); });
  }
  ReadAhead(const ReadAhead&) = delete;
  ~ReadAhead() {
    stop();
    for (std::thread& t : threads_) t.join();
  }

  /// The next item of a source, nothing at its end. Sources are taken in order; one that has given all is forgotten,
  /// whether or not its end was asked for.
  std::optional<Item> next(Index source) {
    std::unique_lock lock(mutex_);
    wanted_ = source;
    changed_.notify_all();
    auto queue = queues_.end();
    changed_.wait(lock, [&] {
      queue = queues_.find(source);
      if (queue == queues_.end()) return stopping_ || source < next_source_;
      return stopping_ || !queue->second.items.empty() || queue->second.ended;
    });
    if (queue == queues_.end()) return std::nullopt;
    if (queue->second.items.empty()) {
      const std::exception_ptr error = queue->second.error;
      if (queue->second.ended) queues_.erase(queue);
      if (error) std::rethrow_exception(error);
      return std::nullopt;
    }
    Item item = std::move(queue->second.items.front());
    queue->second.items.pop_front();
    --held_;
    if (queue->second.done()) queues_.erase(queue);
    lock.unlock();
    changed_.notify_all();
    return item;
  }

  /// Items dropped so far.
  Index dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

  /// Ends reading; what is in the queues can still be taken.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
  }

 private:
  struct Queue {
    std::deque<Item> items;
    bool ended = false;
    std::exception_ptr error;

    /// Whether it has nothing more to give.
    bool done() const { return ended && items.empty() && !error; }
  };

  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      if (stopping_ || next_source_ == sources_) return;
      const Index source = next_source_++;
      Queue& queue = queues_[source];
      lock.unlock();
      std::exception_ptr error;
      try {
        read_(source, [&](Item item) { return emit(source, queue, std::move(item)); });
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      queue.error = error;
      queue.ended = true;
      if (queue.done()) queues_.erase(source);
      lock.unlock();
      changed_.notify_all();
    }
  }

  bool emit(Index source, Queue& queue, Item item) {
    {
      std::unique_lock lock(mutex_);
      if (full_ == Full::drop_oldest && held_ >= capacity_ && !queue.items.empty()) {
        queue.items.pop_front();
        --held_;
        ++dropped_;
      }
      // The source that is waited for has room for one item even when those after it took all.
      changed_.wait(lock, [&] { return stopping_ || held_ < capacity_ || (source == wanted_ && queue.items.empty()); });
      if (stopping_) return false;
      queue.items.push_back(std::move(item));
      ++held_;
    }
    changed_.notify_all();
    return true;
  }

  Index sources_;
  std::map<Index, Queue> queues_;  // of the sources that are read, or have something to give
  std::size_t capacity_;
  Full full_;
  Read read_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Index next_source_ = 0;
  Index wanted_ = -1;     // the source that `next` was last asked for
  std::size_t held_ = 0;  // items in all queues
  Index dropped_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace vjepa
