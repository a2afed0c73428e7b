// SPDX-License-Identifier: Apache-2.0
//
// The op table on ref itself: every case runs, gives the same bits twice, and its bounds are smaller than its values.
#include "tests/unit/backend/op_cases.h"

namespace glint::backend_test {
namespace {

TEST(OpTable, RefIsRepeatableAndFinite) {
  for (const OpCase& op_case : op_cases()) {
    SCOPED_TRACE(op_case.name);
    const std::vector<float> first = op_case.run(*make_ref_backend());
    const std::vector<float> second = op_case.run(*make_ref_backend());
    ASSERT_FALSE(first.empty());
    ASSERT_EQ(first.size(), second.size());
    EXPECT_EQ(std::memcmp(first.data(), second.data(), first.size() * sizeof(float)), 0);
    const std::vector<double> bounds = op_case.bound(first);
    ASSERT_EQ(bounds.size(), first.size());
    double largest_value = 0, largest_bound = 0;
    for (size_t i = 0; i < first.size(); ++i) {
      ASSERT_TRUE(std::isfinite(first[i])) << i;
      ASSERT_TRUE(bounds[i] >= 0) << i;
      largest_value = std::max(largest_value, std::abs(static_cast<double>(first[i])));
      largest_bound = std::max(largest_bound, bounds[i]);
    }
    EXPECT_LE(largest_bound, 0.05 * largest_value);
  }
}

}  // namespace
}  // namespace glint::backend_test
