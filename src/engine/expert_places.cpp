// SPDX-License-Identifier: Apache-2.0
#include "engine/expert_places.h"

#include <algorithm>
#include <regex>
#include <string>

#include "base/check.h"
#include "model/weights.h"

namespace glint {
namespace {

struct Place {
  std::regex pattern;
  bool host = false;
};

Place parse(const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) fail("-ot {}: expected REGEX=CPU, like \\.ffn_.*_exps\\.=CPU", text);
  const std::string where = text.substr(equals + 1);
  if (where != "CPU" && !where.starts_with("CUDA")) fail("-ot {}: expected CPU or a card like CUDA0 after =", text);
  try {
    return {std::regex(text.substr(0, equals)), where == "CPU"};
  } catch (const std::regex_error& error) {
    fail("-ot {}: not a regular expression: {}", text, error.what());
  }
}

bool goes_to_host(const std::vector<Place>& places, const std::string& name) {
  for (const Place& place : places) {
    if (std::regex_search(name, place.pattern)) return place.host;
  }
  return false;
}

void apply_patterns(const ModelSpec& spec, const std::vector<Place>& places, std::vector<bool>& on_host) {
  std::vector<int> n_experts(spec.layers.size()), n_moved(spec.layers.size());
  for (const TensorUse& use : tensor_uses(spec, /*nextn=*/false)) {
    const bool moved = goes_to_host(places, use.name);
    const bool is_expert = use.ffn_of >= 0 && use.n_read > 0;
    if (moved && !is_expert) {
      fail("-ot: {} would stay in host memory, but only experts can; take it out of the pattern", use.name);
    }
    if (!is_expert) continue;
    ++n_experts[static_cast<size_t>(use.ffn_of)];
    n_moved[static_cast<size_t>(use.ffn_of)] += moved;
  }
  for (size_t i = 0; i < on_host.size(); ++i) {
    if (n_moved[i] == 0) continue;
    if (n_moved[i] != n_experts[i]) {
      fail(
          "-ot: {} of the {} expert tensors of layer {} would stay in host memory; a layer's experts stay or go "
          "together",
          n_moved[i], n_experts[i], i);
    }
    on_host[i] = true;
  }
}

}  // namespace

std::vector<bool> experts_on_host(const ModelSpec& spec, const EngineOptions& options) {
  std::vector<bool> on_host(spec.layers.size());
  std::vector<Place> places;
  for (const std::string& text : options.tensor_places) places.push_back(parse(text));
  if (!places.empty()) apply_patterns(spec, places, on_host);
  for (size_t i = 0; i < on_host.size(); ++i) {
    const bool chosen = options.n_cpu_moe < 0 || static_cast<int64_t>(i) < options.n_cpu_moe;
    if (chosen && std::holds_alternative<MoeSpec>(spec.layers[i].ffn)) on_host[i] = true;
  }
  if (std::find(on_host.begin(), on_host.end(), true) == on_host.end()) on_host.clear();
  return on_host;
}

}  // namespace glint
