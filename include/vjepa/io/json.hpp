#pragma once

#include <nlohmann/json.hpp>

namespace vjepa {

/// JSON whose keys keep their order.
using Json = nlohmann::ordered_json;

}  // namespace vjepa
