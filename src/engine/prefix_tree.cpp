// SPDX-License-Identifier: Apache-2.0
#include "engine/prefix_tree.h"

#include "base/check.h"

namespace glint {
namespace {

int common_length(std::span<const int32_t> a, std::span<const int32_t> b) {
  return static_cast<int>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

std::span<const int32_t> first_block(std::span<const int32_t> ids) {
  return ids.first(std::min<size_t>(ids.size(), kPageTokens));
}

}  // namespace

PrefixTree::PrefixTree(KvPages& pages)
    : pages_(pages),
      root_(std::make_unique<Node>()),
      tip_(static_cast<size_t>(pages.n_sequences()), root_.get()),
      n_inserted_(static_cast<size_t>(pages.n_sequences()), 0) {}

/// Leaf by leaf: a text may be deeper than the stack.
PrefixTree::~PrefixTree() {
  while (!leaves_.empty()) remove(leaves_.begin()->second);
}

std::pair<PrefixTree::Children::const_iterator, int> PrefixTree::nearest(const Node& node,
                                                                         std::span<const int32_t> ids) {
  const auto after = node.children.lower_bound(ids);
  if (after == node.children.begin()) return {after, common_length(after->first, ids)};
  const auto before = std::prev(after);
  const int n_before = common_length(before->first, ids);
  const int n_after = after == node.children.end() ? -1 : common_length(after->first, ids);
  return n_after >= n_before ? std::pair{after, n_after} : std::pair{before, n_before};
}

PrefixTree::Match PrefixTree::find(int sequence, std::span<const int32_t> ids, int n_before) const {
  GLINT_CHECK(n_before == n_inserted_[static_cast<size_t>(sequence)] * kPageTokens);
  Match match;
  const Node* node = tip_[static_cast<size_t>(sequence)];
  std::span<const int32_t> rest = ids.subspan(static_cast<size_t>(n_before));
  while (rest.size() >= kPageTokens) {
    const auto child = node->children.find(first_block(rest));
    if (child == node->children.end()) break;
    node = child->second.get();
    match.full_pages.push_back(node->page);
    match.nodes.push_back(child->second.get());
    rest = rest.subspan(kPageTokens);
  }
  if (node->children.empty()) return match;
  const auto [child, n] = nearest(*node, first_block(rest));
  match.near_ids = child->first;
  if (n > 0) {
    match.near_page = child->second->page;
    match.n_near = n;
    match.nodes.push_back(child->second.get());
  }
  return match;
}

void PrefixTree::attach(int sequence, const Match& match, bool with_near) {
  const size_t n_full = match.full_pages.size();
  const bool near = with_near && match.near_page >= 0;
  std::vector<int32_t> attached = match.full_pages;
  if (near) attached.push_back(match.near_page);
  for (size_t i = 0; i < attached.size(); ++i) touch(match.nodes[i]);
  if (n_full > 0) tip_[static_cast<size_t>(sequence)] = match.nodes[n_full - 1];
  n_inserted_[static_cast<size_t>(sequence)] += static_cast<int>(n_full);
  pages_.attach(sequence, attached,
                n_inserted_[static_cast<size_t>(sequence)] * kPageTokens + (near ? match.n_near : 0));
}

PrefixTree::Node* PrefixTree::add(Node* parent, std::span<const int32_t> ids, int32_t page) {
  leaves_.erase(parent->used);
  auto node = std::make_unique<Node>();
  node->parent = parent;
  node->page = page;
  node->used = ++clock_;
  Node* added = node.get();
  added->self = parent->children.emplace(std::vector<int32_t>(ids.begin(), ids.end()), std::move(node)).first;
  leaves_.emplace(added->used, added);
  pages_.pin(page);
  ++n_nodes_;
  return added;
}

void PrefixTree::remove(Node* node) {
  GLINT_CHECK(node->children.empty());
  pages_.unpin(node->page);
  leaves_.erase(node->used);
  --n_nodes_;
  Node* parent = node->parent;
  parent->children.erase(node->self);
  if (parent != root_.get() && parent->children.empty()) leaves_.emplace(parent->used, parent);
}

void PrefixTree::touch(Node* node) {
  const bool is_leaf = leaves_.erase(node->used) > 0;
  node->used = ++clock_;
  if (is_leaf) leaves_.emplace(node->used, node);
}

/// A part-full page is of no more use once a page holds the same ids and more.
void PrefixTree::drop_beginnings(Node* parent, std::span<const int32_t> ids) {
  for (size_t n = ids.size() - 1; n > 0; --n) {
    const auto child = parent->children.find(ids.first(n));
    if (child != parent->children.end() && pages_.n_holders(child->second->page) == 0) remove(child->second.get());
  }
}

void PrefixTree::insert_full(int sequence, std::span<const int32_t> ids) {
  Node*& tip = tip_[static_cast<size_t>(sequence)];
  int& n_inserted = n_inserted_[static_cast<size_t>(sequence)];
  while (static_cast<size_t>(n_inserted + 1) * kPageTokens <= ids.size()) {
    const std::span<const int32_t> block = ids.subspan(static_cast<size_t>(n_inserted) * kPageTokens, kPageTokens);
    const auto child = tip->children.find(block);
    if (child != tip->children.end()) {
      tip = child->second.get();
      touch(tip);
      pages_.replace(sequence, n_inserted, tip->page);
    } else {
      Node* parent = tip;
      tip = add(parent, block, pages_.pages(sequence)[static_cast<size_t>(n_inserted)]);
      drop_beginnings(parent, block);
    }
    ++n_inserted;
  }
}

void PrefixTree::release(int sequence, std::span<const int32_t> ids) {
  insert_full(sequence, ids);
  Node*& tip = tip_[static_cast<size_t>(sequence)];
  int& n_inserted = n_inserted_[static_cast<size_t>(sequence)];
  const std::span<const int32_t> rest = ids.subspan(static_cast<size_t>(n_inserted) * kPageTokens);
  if (!rest.empty()) {
    const int32_t page = pages_.pages(sequence)[static_cast<size_t>(n_inserted)];
    const auto after = tip->children.lower_bound(rest);  // ids that begin with `rest` stand behind it
    const bool known =
        after != tip->children.end() && common_length(after->first, rest) == static_cast<int>(rest.size());
    if (known) {
      touch(after->second.get());
    } else if (!pages_.is_pinned(page)) {
      add(tip, rest, page);
      drop_beginnings(tip, rest);
    }
  }
  pages_.truncate(sequence, 0);
  tip = root_.get();
  n_inserted = 0;
}

bool PrefixTree::evict_one() {
  for (const auto& [used, node] : leaves_) {
    if (pages_.n_holders(node->page) > 0) continue;
    remove(node);
    return true;
  }
  return false;
}

int PrefixTree::forget(std::span<const int32_t> ids) {
  Node* node = root_.get();
  while (!node->children.empty() && !ids.empty()) {
    const auto [child, n] = nearest(*node, first_block(ids));
    if (static_cast<size_t>(n) < child->first.size()) break;  // it holds another text as well
    node = child->second.get();
    ids = ids.subspan(static_cast<size_t>(n));
  }
  int n_tokens = 0;
  while (node != root_.get() && node->children.empty() && pages_.n_holders(node->page) == 0) {
    Node* parent = node->parent;
    n_tokens += static_cast<int>(node->self->first.size());
    remove(node);
    node = parent;
  }
  return n_tokens;
}

void PrefixTree::check_node(const Node& node, int& n_nodes) const {
  for (const auto& [ids, child] : node.children) {
    ++n_nodes;
    GLINT_CHECK(child->parent == &node && child->self->second == child && pages_.is_pinned(child->page));
    GLINT_CHECK(!ids.empty() && ids.size() <= kPageTokens && (child->children.empty() || ids.size() == kPageTokens));
    // An idle page leads to idle pages only, so that all idle pages can be evicted.
    if (&node != root_.get() && pages_.n_holders(node.page) == 0) GLINT_CHECK(pages_.n_holders(child->page) == 0);
    const auto leaf = leaves_.find(child->used);
    GLINT_CHECK(child->children.empty() == (leaf != leaves_.end() && leaf->second == child.get()));
    check_node(*child, n_nodes);
  }
}

void PrefixTree::check_invariants() const {
  int n_nodes = 0;
  check_node(*root_, n_nodes);
  GLINT_CHECK(n_nodes == n_nodes_);
  int n_pinned = 0;
  for (int32_t page = 0; page < pages_.n_pages(); ++page) n_pinned += pages_.is_pinned(page);
  GLINT_CHECK(n_pinned == n_nodes_);
  for (int sequence = 0; sequence < pages_.n_sequences(); ++sequence) {
    const Node* node = tip_[static_cast<size_t>(sequence)];
    for (int i = n_inserted_[static_cast<size_t>(sequence)]; i > 0; --i, node = node->parent) {
      GLINT_CHECK(node->page == pages_.pages(sequence)[static_cast<size_t>(i - 1)]);
    }
    GLINT_CHECK(node == root_.get());
  }
}

}  // namespace glint
