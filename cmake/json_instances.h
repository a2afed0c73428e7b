// SPDX-License-Identifier: Apache-2.0
//
// Precompiled for the targets that speak JSON: nlohmann's two types are instantiated in json_instances.cpp alone. Nothing
// depends on it but the time that a build takes; no file includes it by name.
#pragma once

#include <nlohmann/json.hpp>

extern template class nlohmann::basic_json<>;
extern template class nlohmann::basic_json<nlohmann::ordered_map>;
