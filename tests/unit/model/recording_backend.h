// SPDX-License-Identifier: Apache-2.0
//
// A backend that passes everything on and counts what memory it is asked for: which tensors of a file a model really
// takes, and that a step allocates nothing.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "backend/backend.h"

namespace glint::golden {

class RecordingBackend : public Backend {
 public:
  explicit RecordingBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

  std::set<std::string> imported;  // names of tensors
  int64_t allocated_bytes = 0;
  int n_allocations = 0;

  std::string_view name() const override { return inner_->name(); }
  std::unique_ptr<Buffer> allocate(size_t bytes) override {
    allocated_bytes += static_cast<int64_t>(bytes);
    ++n_allocations;
    return inner_->allocate(bytes);
  }
  std::unique_ptr<Buffer> allocate_host(size_t bytes) override { return inner_->allocate_host(bytes); }
  void upload(void* destination, const void* source, size_t bytes) override {
    inner_->upload(destination, source, bytes);
  }
  void download(void* destination, const void* source, size_t bytes) override {
    inner_->download(destination, source, bytes);
  }
  Weight import_weight(const HostTensor& tensor) override {
    imported.insert(tensor.name);
    return inner_->import_weight(tensor);
  }
  void embed(Tensor out, const int32_t* ids, float scale, const Weight& table) override {
    inner_->embed(out, ids, scale, table);
  }
  void rms_norm(Tensor out, Tensor x, float eps, const Weight& w) override { inner_->rms_norm(out, x, eps, w); }
  void add(Tensor out, Tensor x) override { inner_->add(out, x); }
  void copy(Tensor out, Tensor x) override { inner_->copy(out, x); }
  void scale_softcap(Tensor x, float scale, float softcap) override { inner_->scale_softcap(x, scale, softcap); }
  void matmul(Tensor out, Tensor x, const Weight& w) override { inner_->matmul(out, x, w); }
  void matmul_heads(Tensor out, Tensor x, const Weight& w) override { inner_->matmul_heads(out, x, w); }
  void matmul_experts(Tensor out, Tensor x, const Weight& w, const Routing& routing) override {
    inner_->matmul_experts(out, x, w, routing);
  }
  void rope(Tensor x, const int32_t* positions, const RopeParams& params) override {
    inner_->rope(x, positions, params);
  }
  void kv_store(const KvLayer& layer, Tensor k, Tensor v, const Batch& batch) override {
    inner_->kv_store(layer, k, v, batch);
  }
  void attend(Tensor out, Tensor q, const KvLayer& layer, const Batch& batch, const AttendParams& params) override {
    inner_->attend(out, q, layer, batch, params);
  }
  void glu(Tensor gate, Tensor up, Activation activation) override { inner_->glu(gate, up, activation); }
  void route(const Routing& out, Tensor logits, const RouteParams& params) override {
    inner_->route(out, logits, params);
  }
  void combine(Tensor out, Tensor expert_out, const Routing& routing) override {
    inner_->combine(out, expert_out, routing);
  }
  void gather_rows(Tensor out, Tensor x, const int32_t* rows) override { inner_->gather_rows(out, x, rows); }
  void top(TopEntry* out, Tensor x, int k) override { inner_->top(out, x, k); }

 private:
  std::unique_ptr<Backend> inner_;
};

}  // namespace glint::golden
