#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/io/dtype.hpp"

/// The part of Python's pickle protocol that torch.save writes (Lib/pickletools.py describes it), read without running
/// anything: a name in the file selects one of a fixed list of constructors here, or is an error.
namespace vjepa::pickle {

struct None {};

/// Values are copied wherever a pickle refers to them again, so that text is shared.
using Text = std::shared_ptr<const std::string>;

/// A constructor by its Python name.
struct Global {
  Text name;  // "module.name"
};

/// Elements that lie elsewhere, under a key.
struct Storage {
  DType dtype = DType::f32;
  Text key;
  std::int64_t size = 0;  // elements
};

/// A strided view of a storage, all in elements.
struct Tensor {
  Storage storage;
  std::int64_t offset = 0;
  std::vector<Index> shape;
  std::vector<Index> strides;
};

struct Container;

/// Containers are shared, as they are in Python.
using Value = std::variant<None, bool, std::int64_t, double, Text, Global, Storage, std::shared_ptr<const Tensor>,
                           std::shared_ptr<Container>>;

struct Container {
  enum class Kind { list, tuple, dict };
  Kind kind = Kind::list;
  std::vector<Value> items;  // of a dict: key, value, key, value ...
  int depth = 1;             // of nesting
  bool inside = false;       // another container; it may change no more, so that depth holds and no cycle closes
};

/// Every type of storage by its Python name.
inline constexpr std::pair<std::string_view, DType> storage_types[] = {
    {"torch.FloatStorage", DType::f32},   {"torch.HalfStorage", DType::f16}, {"torch.BFloat16Storage", DType::bf16},
    {"torch.DoubleStorage", DType::f64},  {"torch.LongStorage", DType::i64}, {"torch.IntStorage", DType::i32},
    {"torch.ShortStorage", DType::i16},   {"torch.CharStorage", DType::i8},  {"torch.ByteStorage", DType::u8},
    {"torch.BoolStorage", DType::boolean}};

/// The object that a pickle describes.
class Reader {
 public:
  /// `where` names the file in errors.
  Reader(std::span<const std::byte> bytes, std::string where) : bytes_(bytes), where_(std::move(where)) {}

  /// Throws Error when the bytes are cut short, damaged, longer or nested deeper than any checkpoint, or ask for what
  /// is not on the list.
  Value read() {
    for (std::size_t steps = 0;; ++steps) {
      if (steps == max_steps) bad("it has more than ", max_steps, " opcodes");
      const auto op = static_cast<unsigned char>(take(1)[0]);
      if (op == '.') return pop();
      step(op);
    }
  }

 private:
  static constexpr std::size_t max_steps = 1'000'000;  // a byte can ask for a hundred
  static constexpr std::size_t max_name = 1024;
  static constexpr int max_depth = 64;
  static constexpr std::size_t max_rank = 64;

  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail(where_, ": not a usable PyTorch file: ", parts..., " (byte ", at_, " of the pickle)");
  }

  std::span<const std::byte> take(std::uint64_t count) {
    if (count > bytes_.size() - at_) bad("the pickle is cut short");
    const auto part = bytes_.subspan(at_, static_cast<std::size_t>(count));
    at_ += static_cast<std::size_t>(count);
    return part;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  Text chars(std::uint64_t count) {
    const auto part = take(count);
    return std::make_shared<std::string>(reinterpret_cast<const char*>(part.data()), part.size());
  }
  std::string line() {
    std::string text;
    for (char c; (c = static_cast<char>(take(1)[0])) != '\n';) text += c;
    if (text.size() > max_name) bad("a name is longer than ", max_name, " characters");
    return text;
  }

  void push(Value value) { stack_.push_back(std::move(value)); }
  Value pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) bad("a value is missing");
    Value value = std::move(stack_.back());
    stack_.pop_back();
    return value;
  }
  /// The values since the last mark.
  std::vector<Value> pop_marked() {
    if (marks_.empty()) bad("a mark is missing");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<Value> values(std::make_move_iterator(begin), std::make_move_iterator(stack_.end()));
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return values;
  }
  std::vector<Value> pop_count(int count) {
    std::vector<Value> values(static_cast<std::size_t>(count));
    while (count > 0) values[static_cast<std::size_t>(--count)] = pop();
    return values;
  }

  void push_container(Container::Kind kind, std::vector<Value> items) {
    auto container = std::make_shared<Container>();
    container->kind = kind;
    append(*container, std::move(items));
    push(std::move(container));
  }

  void append(Container& to, std::vector<Value> values) {
    if (to.inside) bad("a container changes after it was put into another");
    for (Value& value : values) {
      if (const auto* child = std::get_if<std::shared_ptr<Container>>(&value)) {
        if (child->get() == &to) bad("a container holds itself");
        (*child)->inside = true;
        to.depth = std::max(to.depth, (*child)->depth + 1);
        if (to.depth > max_depth) bad("containers are nested deeper than ", max_depth);
      }
      to.items.push_back(std::move(value));
    }
  }

  void append_to_top(Container::Kind kind, std::vector<Value> values) {
    if (stack_.empty()) bad("a value is missing");
    const auto* top = std::get_if<std::shared_ptr<Container>>(&stack_.back());
    if (top == nullptr || (*top)->kind != kind || (kind == Container::Kind::dict && values.size() % 2 != 0)) {
      bad("items are put into what cannot hold them");
    }
    append(**top, std::move(values));
  }

  void put(std::uint32_t key) {
    if (stack_.empty()) bad("a value is missing");
    memo_[key] = stack_.back();
  }
  void get(std::uint32_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) bad("it refers to a value that was never kept");
    push(found->second);
  }

  void step(unsigned char op) {
    using Kind = Container::Kind;
    switch (op) {
      case 0x80:  // PROTO
        if (const auto protocol = number<std::uint8_t>(); protocol < 2 || protocol > 5) {
          bad("the pickle protocol ", int{protocol}, " is unknown");
        }
        return;
      case 0x95:  // FRAME
        take(8);
        return;
      case '(':
        return marks_.push_back(stack_.size());
      case '0':
        pop();
        return;
      case 'N':
        return push(None{});
      case 0x88:
        return push(true);
      case 0x89:
        return push(false);
      case 'J':
        return push(std::int64_t{number<std::int32_t>()});
      case 'K':
        return push(std::int64_t{number<std::uint8_t>()});
      case 'M':
        return push(std::int64_t{number<std::uint16_t>()});
      case 0x8a:
        return push(long_integer());
      case 'G':
        return push(std::bit_cast<double>(__builtin_bswap64(number<std::uint64_t>())));
      case 'X':
      case 'B':
      case 'T':
        return push(chars(number<std::uint32_t>()));
      case 0x8c:
      case 'C':
      case 'U':
        return push(chars(number<std::uint8_t>()));
      case 0x8d:
        return push(chars(number<std::uint64_t>()));
      case ']':
        return push_container(Kind::list, {});
      case 'a':
        return append_to_top(Kind::list, pop_count(1));
      case 'e':
        return append_to_top(Kind::list, pop_marked());
      case ')':
        return push_container(Kind::tuple, {});
      case 't':
        return push_container(Kind::tuple, pop_marked());
      case 0x85:
      case 0x86:
      case 0x87:
        return push_container(Kind::tuple, pop_count(op - 0x84));
      case '}':
        return push_container(Kind::dict, {});
      case 's':
        return append_to_top(Kind::dict, pop_count(2));
      case 'u':
        return append_to_top(Kind::dict, pop_marked());
      case 'q':
        return put(number<std::uint8_t>());
      case 'r':
        return put(number<std::uint32_t>());
      case 0x94:
        return put(static_cast<std::uint32_t>(memo_.size()));
      case 'h':
        return get(number<std::uint8_t>());
      case 'j':
        return get(number<std::uint32_t>());
      case 'c': {
        const std::string module = line();
        return push(Global{std::make_shared<std::string>(module + "." + line())});
      }
      case 0x93: {
        const std::vector<Value> names = pop_count(2);
        return push(Global{std::make_shared<std::string>(*as<Text>(names[0]) + "." + *as<Text>(names[1]))});
      }
      case 'Q':
        return push(storage(items_of(pop())));
      case 'R': {
        const std::vector<Value> call = pop_count(2);
        return push(construct(*as<Global>(call[0]).name, items_of(call[1])));
      }
      case 'b':  // the attributes of an object, such as a state dict's versions: no weights
        pop();
        return;
      case 0x81:
      case 0x92:
        bad("it holds whole Python objects; save the module's state_dict() instead");
      default:
        bad("the opcode ", int{op}, " is not one that torch.save writes");
    }
  }

  std::int64_t long_integer() {
    const auto length = number<std::uint8_t>();
    if (length > 8) bad("an integer has more than 64 bits");
    const auto part = take(length);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < part.size(); ++i) value |= std::uint64_t(part[i]) << (8 * i);
    if (length > 0 && length < 8 && (value >> (8 * length - 1)) != 0) value |= ~std::uint64_t{0} << (8 * length);
    return static_cast<std::int64_t>(value);
  }

  template <class T>
  const T& as(const Value& value) const {
    const T* wanted = std::get_if<T>(&value);
    if (wanted == nullptr) bad("a value has another type than it should");
    return *wanted;
  }
  const std::vector<Value>& items_of(const Value& value) const { return as<std::shared_ptr<Container>>(value)->items; }
  std::vector<Index> integers(const Value& value) const {
    std::vector<Index> all;
    if (items_of(value).size() > max_rank) bad("a tensor has more than ", max_rank, " dimensions");
    for (const Value& item : items_of(value)) all.push_back(static_cast<Index>(as<std::int64_t>(item)));
    return all;
  }
  void want(const std::vector<Value>& args, std::size_t least, std::string_view name) const {
    if (args.size() < least) bad(name, " has ", args.size(), " arguments and wants ", least);
  }

  Storage storage(const std::vector<Value>& id) const {
    want(id, 5, "a storage");
    const std::string& name = *as<Global>(id[1]).name;
    const std::optional<DType> dtype = storage_type(name);
    if (*as<Text>(id[0]) != "storage" || !dtype) bad("'", name, "' is no storage that can be read");
    if (as<Text>(id[2])->size() > max_name) bad("the name of a storage is longer than ", max_name, " characters");
    return {*dtype, as<Text>(id[2]), as<std::int64_t>(id[4])};
  }

  static std::optional<DType> storage_type(std::string_view name) {
    for (const auto& [known, dtype] : storage_types) {
      if (known == name) return dtype;
    }
    return std::nullopt;
  }

  /// The whole list of what a file can make.
  Value construct(const std::string& name, const std::vector<Value>& args) const {
    if (name == "collections.OrderedDict" && args.empty()) {
      auto dict = std::make_shared<Container>();
      dict->kind = Container::Kind::dict;
      return dict;
    }
    if (name == "torch._utils._rebuild_tensor_v2") {
      want(args, 4, name);
      return std::make_shared<const Tensor>(
          Tensor{as<Storage>(args[0]), as<std::int64_t>(args[1]), integers(args[2]), integers(args[3])});
    }
    if (name == "torch._utils._rebuild_parameter") {
      want(args, 1, name);
      return as<std::shared_ptr<const Tensor>>(args[0]);
    }
    if (name == "torch.Size") {
      want(args, 1, name);
      return as<std::shared_ptr<Container>>(args[0]);
    }
    bad("it asks for '", name, "', which is not on the list of what a checkpoint needs; nothing was run");
  }

  std::span<const std::byte> bytes_;
  std::string where_;
  std::size_t at_ = 0;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint32_t, Value> memo_;
};

}  // namespace vjepa::pickle
