// SPDX-License-Identifier: Apache-2.0
//
// How `glint bench` prints what was measured: llama-bench's five formats from one record a test, each line as soon as
// it is known; and llama-batched-bench's table. Knows nothing of engines. Used by bench.cpp. Tested by
// tests/integration/bench_test.py.
#pragma once

#include <nlohmann/json.hpp>

#include <set>
#include <string>

#include "engine/bench.h"

namespace glint::app {

/// Fields of one test under llama-bench's names, in its order, with "samples_ns" and "samples_ts" as arrays last.
using BenchRecord = nlohmann::ordered_json;

class BenchReport {
 public:
  /// `format`: md, json, jsonl, csv or sql. `shown`: fields that the md table has besides those that it always has.
  BenchReport(std::string format, std::set<std::string> shown);
  void add(const BenchRecord& record);
  /// Ends the list; no add() afterwards.
  void finish();

 private:
  void add_row(const BenchRecord& record);
  void add_line(const BenchRecord& record);
  void add_statement(const BenchRecord& record);

  std::string format_;
  std::set<std::string> shown_;
  bool empty_ = true;
};

/// llama-batched-bench's table; a row at a time.
void print_batched_head();
void print_batched_row(const BatchedResult& result);

}  // namespace glint::app
