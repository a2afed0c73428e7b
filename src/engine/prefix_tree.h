// SPDX-License-Identifier: Apache-2.0
//
// Finds the pages that already hold the beginning of a prompt. A node is a page and the ids whose rows it holds, its
// place in the tree what came before; so a path spells a text, and a match is exact by construction: ids are compared,
// never hashes. Children are sorted by their ids, so the one with the longest common beginning stands next to where a
// text would be inserted. Nodes of full pages have children; a page that is part full is a leaf.
//
// The tree pins its pages (model/kv_pages.h). What no sequence holds may be evicted, least recently used first, leaves
// before what leads to them. Equal texts have one page: a sequence that computed what the tree has gets the tree's.
// Called by engine/scheduler alone. Tested by tests/unit/engine/prefix_tree_test.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "model/kv_pages.h"

namespace glint {

class PrefixTree {
  struct Node;

 public:
  /// `pages` must outlive the tree, and sequences that were inserted change through KvPages only by writing more.
  explicit PrefixTree(KvPages& pages);
  ~PrefixTree();

  /// What the tree knows of a text from some full page on. Stale once the tree changes.
  struct Match {
    std::vector<int32_t> full_pages;  // in order; all kPageTokens tokens of each fit
    int32_t near_page = -1;           // one more, of which n_near tokens fit; or -1
    int n_near = 0;
    std::vector<int32_t> near_ids;  // all ids of near_page, or of a page of which none fits
    std::vector<Node*> nodes;       // of the full pages, then of near_page
  };
  /// Matches ids, of which the first n_before (a multiple of kPageTokens) are those of `sequence`'s inserted pages.
  /// Nothing is held yet.
  Match find(int sequence, std::span<const int32_t> ids, int n_before) const;
  /// Lets `sequence` go on with pages of a match; all of full_pages, and near_page when `with_near`.
  void attach(int sequence, const Match& match, bool with_near);
  /// Remembers the pages of `sequence`, which holds the rows of ids, that are full and not yet in the tree.
  void insert_full(int sequence, std::span<const int32_t> ids);
  /// Remembers all it can of `sequence`, also a page that is part full, and lets the sequence go of everything.
  void release(int sequence, std::span<const int32_t> ids);
  /// Gives one idle page back, the least recently used; false when there is none.
  bool evict_one();
  /// Gives back the pages of a text, from its end up to the first that a sequence holds or another text needs. Returns
  /// how many tokens they held.
  int forget(std::span<const int32_t> ids);

  /// Checks the tree against KvPages; throws InternalError. For tests.
  void check_invariants() const;

 private:
  /// Compares ids with any range of ids.
  struct ByIds {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
    }
  };
  using Children = std::map<std::vector<int32_t>, std::unique_ptr<Node>, ByIds>;
  struct Node {
    Node* parent = nullptr;
    int32_t page = -1;
    uint64_t used = 0;  // unique: when it was last matched or made
    Children children;
    Children::iterator self;  // in parent->children
  };

  /// The child whose ids share most with `ids`, and how many. PRECOND: there are children.
  static std::pair<Children::const_iterator, int> nearest(const Node& node, std::span<const int32_t> ids);
  Node* add(Node* parent, std::span<const int32_t> ids, int32_t page);
  void remove(Node* node);
  void touch(Node* node);
  void drop_beginnings(Node* parent, std::span<const int32_t> ids);
  void check_node(const Node& node, int& n_nodes) const;

  KvPages& pages_;
  std::unique_ptr<Node> root_;
  std::vector<Node*> tip_;            // [n_sequences] the node of the last of a sequence's pages that are in the tree
  std::vector<int> n_inserted_;       // [n_sequences] those pages
  std::map<uint64_t, Node*> leaves_;  // by `used`
  uint64_t clock_ = 0;
  int n_nodes_ = 0;
};

}  // namespace glint
