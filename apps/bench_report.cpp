// SPDX-License-Identifier: Apache-2.0
#include "apps/bench_report.h"

#include <fmt/format.h>

#include <cstdio>
#include <vector>

#include "base/check.h"

namespace glint::app {
namespace {

/// A column of the md table: where its text comes from and how wide it is; right-aligned if `number`.
struct Column {
  const char* field;
  const char* title;
  int width;
  bool number;
};
constexpr Column kColumns[] = {
    {"model_type", "model", 30, false},   {"model_size", "size", 10, true},  {"model_n_params", "params", 10, true},
    {"backends", "backend", 10, false},   {"n_gpu_layers", "ngl", 4, true},  {"n_threads", "threads", 7, true},
    {"n_batch", "n_batch", 7, true},      {"n_ubatch", "n_ubatch", 8, true}, {"type_k", "type_k", 6, true},
    {"type_v", "type_v", 6, true},        {"flash_attn", "fa", 4, true},     {"n_cpu_moe", "n_cpu_moe", 9, true},
    {"devices", "dev", 8, false},         {"test", "test", 22, true},        {"avg_ts", "t/s", 20, true},
    {"limit_share", "of limit", 8, true},
};
constexpr const char* kTable = "llama_bench";

bool is_always_shown(const std::string& field) {
  static const std::set<std::string> kAlways = {"model_type", "model_size", "model_n_params", "backends",
                                                "test",       "avg_ts",     "limit_share"};
  return kAlways.contains(field);
}

std::string cell(const std::string& field, const BenchRecord& record) {
  const auto& value = record.at(field);
  if (field == "model_size") return fmt::format("{:.2f} GiB", value.get<double>() / (1 << 30));
  if (field == "model_n_params") {
    const double n = value;
    return n < 1e9 ? fmt::format("{:.2f} M", n * 1e-6) : fmt::format("{:.2f} B", n * 1e-9);
  }
  if (field == "avg_ts")
    return fmt::format("{:.2f} ± {:.2f}", value.get<double>(), record.at("stddev_ts").get<double>());
  if (field == "limit_share") return value.is_null() ? "-" : fmt::format("{:.1f} %", value.get<double>() * 100);
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// Padded to a width in characters, of which UTF-8 may take several bytes.
std::string padded(const std::string& text, int width, bool right) {
  int length = 0;
  for (char c : text) length += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  const std::string blanks(static_cast<size_t>(std::max(0, width - length)), ' ');
  return right ? blanks + text : text + blanks;
}

std::string in_quotes(const std::string& text, char quote) {
  std::string result(1, quote);
  for (char c : text) {
    if (c == quote) result += c;
    result += c;
  }
  return result + quote;
}

/// The text of a value; arrays are left out of lines and statements.
std::string plain(const nlohmann::ordered_json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

BenchReport::BenchReport(std::string format, std::set<std::string> shown)
    : format_(std::move(format)), shown_(std::move(shown)) {}

void BenchReport::add(const BenchRecord& record) {
  if (format_ == "md") {
    add_row(record);
  } else if (format_ == "csv") {
    add_line(record);
  } else if (format_ == "sql") {
    add_statement(record);
  } else if (format_ == "jsonl") {
    fmt::print("{}\n", record.dump(-1, ' ', false, BenchRecord::error_handler_t::replace));
  } else {
    fmt::print("{}{}", empty_ ? "[\n" : ",\n", record.dump(2, ' ', false, BenchRecord::error_handler_t::replace));
  }
  empty_ = false;
  std::fflush(stdout);
}

void BenchReport::finish() {
  if (format_ == "json") fmt::print("{}\n]\n", empty_ ? "[" : "");
}

void BenchReport::add_row(const BenchRecord& record) {
  std::string head = "|", rule = "|", row = "|";
  for (const Column& column : kColumns) {
    if (!is_always_shown(column.field) && !shown_.contains(column.field)) continue;
    head += " " + padded(column.title, column.width, column.number) + " |";
    rule += " " + std::string(static_cast<size_t>(column.width - 1), '-') + (column.number ? ": |" : "- |");
    row += " " + padded(cell(column.field, record), column.width, column.number) + " |";
  }
  if (empty_) fmt::print("{}\n{}\n", head, rule);
  fmt::print("{}\n", row);
}

void BenchReport::add_line(const BenchRecord& record) {
  std::string names, values;
  for (const auto& [name, value] : record.items()) {
    if (value.is_array()) continue;
    if (!names.empty()) {
      names += ',';
      values += ',';
    }
    names += name;
    values += in_quotes(plain(value), '"');
  }
  if (empty_) fmt::print("{}\n", names);
  fmt::print("{}\n", values);
}

void BenchReport::add_statement(const BenchRecord& record) {
  std::string columns, names, values;
  for (const auto& [name, value] : record.items()) {
    if (value.is_array()) continue;
    if (!names.empty()) {
      columns += ",\n";
      names += ", ";
      values += ", ";
    }
    columns += fmt::format("  {} {}", name,
                           value.is_string()                            ? "TEXT"
                           : value.is_number_float() || value.is_null() ? "REAL"
                                                                        : "INTEGER");
    names += name;
    values += value.is_null() ? "NULL" : in_quotes(plain(value), '\'');
  }
  if (empty_) fmt::print("CREATE TABLE IF NOT EXISTS {} (\n{}\n);\n\n", kTable, columns);
  fmt::print("INSERT INTO {} ({}) VALUES ({});\n", kTable, names, values);
}

void print_batched_head() {
  fmt::print("|{:>6} |{:>6} |{:>5} |{:>7} |{:>9} |{:>10} |{:>9} |{:>10} |{:>9} |{:>10} |\n", "PP", "TG", "B", "N_KV",
             "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s", "T s", "S t/s");
  fmt::print("|{:-<6}-|{:-<6}-|{:-<5}-|{:-<7}-|{:-<9}-|{:-<10}-|{:-<9}-|{:-<10}-|{:-<9}-|{:-<10}-|\n", "", "", "", "",
             "", "", "", "", "", "");
  std::fflush(stdout);
}

void print_batched_row(const BatchedResult& r) {
  fmt::print("|{:>6} |{:>6} |{:>5} |{:>7} |{:>9.3f} |{:>10.2f} |{:>9.3f} |{:>10.2f} |{:>9.3f} |{:>10.2f} |\n",
             r.test.n_prompt, r.test.n_generate, r.test.n_requests, r.test.n_cached(), r.prompt_seconds,
             r.prompt_rate(), r.generate_seconds, r.generate_rate(), r.total_seconds(), r.rate());
  std::fflush(stdout);
}

}  // namespace glint::app
