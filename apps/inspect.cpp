// SPDX-License-Identifier: Apache-2.0
//
// `glint inspect`: what a file holds, what it will cost, and what is wrong with it. Reads the header only.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <bit>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/model_options.h"
#include "apps/terminal.h"
#include "base/check.h"
#include "base/sha256.h"
#include "engine/placement.h"
#include "model/load.h"
#include "model/plan.h"

namespace glint::app {
namespace {

using Json = nlohmann::ordered_json;

struct InspectOptions {
  ModelOptions model;
  std::string file;
  bool json = false;
  bool tensors = false;
  bool plan = false;
};

constexpr size_t kShownElements = 8;

/// Arrays longer than a screen line are shown by their beginning.
template <class T>
Json array_json(const std::vector<T>& values, size_t limit) {
  Json result = Json::array();
  for (size_t i = 0; i < std::min(values.size(), limit); ++i) {
    if constexpr (std::is_same_v<T, bool>) {
      result.push_back(static_cast<bool>(values[i]));
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      result.push_back(std::string(values[i]));
    } else {
      result.push_back(values[i]);
    }
  }
  return result;
}

size_t element_bytes(gguf::ValueType type) {
  switch (type) {
    case gguf::ValueType::kUint8:
    case gguf::ValueType::kInt8:
    case gguf::ValueType::kBool:
      return 1;
    case gguf::ValueType::kUint16:
    case gguf::ValueType::kInt16:
      return 2;
    case gguf::ValueType::kUint64:
    case gguf::ValueType::kInt64:
    case gguf::ValueType::kFloat64:
      return 8;
    default:
      return 4;
  }
}

/// SHA-256 of an array's elements as a GGUF file stores them, little endian: compares vocabularies without printing
/// them.
std::string digest(const gguf::Array& array) {
  Sha256 result;
  const size_t width = element_bytes(array.element_type);
  std::visit(
      [&](const auto& values) {
        for (const auto value : values) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, std::string_view>) {
            result.add(value.size(), 8);
            result.add(value);
          } else if constexpr (std::is_same_v<T, double>) {
            result.add(width == 4 ? std::bit_cast<uint32_t>(static_cast<float>(value)) : std::bit_cast<uint64_t>(value),
                       width);
          } else {
            result.add(static_cast<uint64_t>(value), width);
          }
        }
      },
      array.values);
  return to_hex(result.digest());
}

Json value_json(const gguf::Value& value, size_t limit) {
  return std::visit(
      [&](const auto& data) -> Json {
        using T = std::decay_t<decltype(data)>;
        if constexpr (std::is_same_v<T, gguf::Array>) {
          return std::visit(
              [&](const auto& values) {
                Json shown = array_json(values, limit);
                if (values.size() <= limit) return shown;
                return Json{{"array", std::string(gguf::value_type_name(data.element_type))},
                            {"length", values.size()},
                            {"sha256", digest(data)},
                            {"first", shown}};
              },
              data.values);
        } else if constexpr (std::is_same_v<T, std::string_view>) {
          return std::string(data);
        } else {
          return data;
        }
      },
      value.data);
}

/// What the model layer says of a file, as it would when the file is loaded; where that would fail, only why and the
/// findings made before.
struct ModelFacts {
  bool known = false;
  std::string why_not;
  ModelSpec spec;
  ModelPlan plan;
  std::vector<Finding> findings;
};

ModelFacts read_facts(const gguf::File& file) {
  ModelFacts facts;
  try {
    facts.spec = check_model(file, facts.findings);
    facts.plan = plan_model(file, facts.spec, {});
    facts.known = true;
  } catch (const Error& error) {
    facts.why_not = error.what();
  }
  return facts;
}

Json to_json(const gguf::File& file, const ModelFacts& facts) {
  Json out;
  out["file"] = file.name();
  out["file_bytes"] = file.total_bytes();
  out["parts"] = file.parts();
  out["gguf_version"] = file.version();
  out["alignment"] = file.alignment();
  out["architecture"] = std::string(file.metadata().string_or("general.architecture", ""));
  if (facts.known) {
    out["parameters"] = facts.plan.parameters;
    out["weight_bytes"] = facts.plan.weight_bytes;
    out["bytes_read_per_token"] = facts.plan.bytes_read_per_token;
    out["kv_bytes_per_token"] = facts.plan.kv_bytes_per_token;
    out["context_length"] = facts.spec.n_ctx_train;
    out["layers"] = facts.spec.layers.size();
    out["prediction_layers"] = facts.spec.nextn_layers.size();
  } else {
    out["error"] = facts.why_not;
  }
  Json findings = Json::array();
  for (const Finding& finding : facts.findings) {
    findings.push_back({{"level", finding_level_name(finding.level)}, {"text", finding.text}, {"fix", finding.fix}});
  }
  out["findings"] = findings;
  Json metadata = Json::object();
  for (const auto& entry : file.metadata().entries())
    metadata[std::string(entry.key)] = value_json(entry.value, kShownElements);
  out["metadata"] = metadata;
  Json tensors = Json::array();
  for (const HostTensor& tensor : file.tensors()) {
    tensors.push_back({{"name", tensor.name},
                       {"type", std::string(traits(tensor.dtype).name)},
                       {"shape", tensor.dims},
                       {"bytes", tensor.bytes.size()}});
  }
  out["tensors"] = tensors;
  return out;
}

void print_summary(const gguf::File& file, const ModelFacts& facts) {
  fmt::print("{}: GGUF version {}, {}{}\n", file.name(), file.version(),
             format_bytes(static_cast<double>(file.total_bytes())),
             file.parts() > 1 ? fmt::format(" in {} parts", file.parts()) : "");
  if (facts.known) {
    const ModelPlan& plan = facts.plan;
    fmt::print(
        "  architecture       {}, {} layers{}\n", facts.spec.architecture, facts.spec.layers.size(),
        facts.spec.nextn_layers.empty() ? "" : fmt::format(" and {} for prediction", facts.spec.nextn_layers.size()));
    fmt::print("  parameters         {:.3f} billion\n", static_cast<double>(plan.parameters) * 1e-9);
    fmt::print("  weights            {}\n", format_bytes(static_cast<double>(plan.weight_bytes)));
    fmt::print("  read per token     {}\n", format_bytes(static_cast<double>(plan.bytes_read_per_token)));
    fmt::print("  cache per token    {} bytes at f16\n", plan.kv_bytes_per_token);
    for (int n_ctx : {8192, 65536, facts.spec.n_ctx_train}) {
      if (n_ctx > facts.spec.n_ctx_train) continue;
      fmt::print("    context {:7d}   {}\n", n_ctx,
                 format_bytes(static_cast<double>(n_ctx) * static_cast<double>(plan.kv_bytes_per_token)));
    }
  } else {
    fmt::print("  not a model that glint runs: {}\n", facts.why_not);
  }
  std::map<std::string_view, std::pair<int, int64_t>> formats;
  for (const HostTensor& tensor : file.tensors()) {
    auto& [count, bytes] = formats[traits(tensor.dtype).name];
    ++count;
    bytes += static_cast<int64_t>(tensor.bytes.size());
  }
  fmt::print("  tensors            {}\n", file.tensors().size());
  for (const auto& [name, entry] : formats)
    fmt::print("    {:8} {:6}   {}\n", name, entry.first, format_bytes(static_cast<double>(entry.second)));
  for (const Finding& finding : facts.findings) {
    fmt::print("  {}: {}{}\n", finding_level_name(finding.level), finding.text,
               finding.fix.empty() ? "" : "\n    " + finding.fix);
  }
}

/// What the model would take of the memory of where it would run.
void print_plan(const gguf::File& file, const ModelSpec& spec, const ModelOptions& options) {
  const MemoryPlan plan = place_model(file, spec, to_engine_options(options, /*exact=*/false)).plan;
  const auto line = [](const char* name, int64_t bytes, const std::string& note = "") {
    fmt::print("    {:16} {:>12}{}\n", name, format_bytes(static_cast<double>(bytes)),
               note.empty() ? "" : "   " + note);
  };
  fmt::print("  memory on {}\n", plan.machine.device);
  line("free", plan.machine.free_bytes);
  line("weights", plan.weights);
  line("cache", plan.cache, fmt::format("{} tokens, {}", plan.decoder.n_ctx, traits(plan.decoder.kv.k).name));
  line("step", plan.scratch, fmt::format("up to {} tokens", plan.decoder.max_tokens));
  line("backend", plan.workspace);
  line("loading", plan.importing, "gone before the cache is made");
  line("the rest", plan.machine.reserve_bytes);
  line("needed", plan.needed());
}

void inspect(const InspectOptions& options) {
  ModelOptions model = options.model;
  if (!options.file.empty()) model.model = options.file;
  const gguf::File file = open_model_file(model);
  const ModelFacts facts = read_facts(file);
  if (options.json) {
    fmt::print("{}\n", to_json(file, facts).dump(2, ' ', false, Json::error_handler_t::replace));
    return;
  }
  print_summary(file, facts);
  if (options.plan) {
    if (!facts.known) fail("{}", facts.why_not);
    print_plan(file, facts.spec, options.model);
  }
  fmt::print("  metadata\n");
  for (const auto& entry : file.metadata().entries()) {
    std::string text = value_json(entry.value, kShownElements).dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > 100) text = text.substr(0, 97) + "...";
    fmt::print("    {:44} {}{}\n", entry.key, text, entry.overridden ? "  (overridden)" : "");
  }
  if (!options.tensors) return;
  for (const HostTensor& tensor : file.tensors()) {
    fmt::print("  {:40} {:8} {}\n", tensor.name, traits(tensor.dtype).name, tensor.dims);
  }
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = app.add_subcommand("inspect", "What a file holds, what it costs, what is wrong with it");
  command->footer(
      "Examples:\n"
      "  glint inspect model.gguf\n"
      "  glint inspect model.gguf --plan -c 65536 -ctk q8_0\n"
      "  glint inspect model.gguf --json | jq .kv_bytes_per_token\n"
      "  glint inspect model.gguf --override-kv deepseek2.expert_gating_func=int:2\n");
  add_model_options(*command, options->model, false);
  command->add_option("file", options->file, "GGUF file; without one the embedded demo model")->type_name("FILE");
  command->add_flag("--json", options->json, "everything as JSON");
  command->add_flag("--plan", options->plan,
                    "what it would take of the memory here, with the flags of computing given");
  command->add_flag("--tensors", options->tensors, "list every tensor");
  command->callback([options] { inspect(*options); });
}

}  // namespace glint::app
