// SPDX-License-Identifier: Apache-2.0
// Where Kafka is: the keys of its exporter, and the short form of --export.
#pragma once

#include <string_view>

#include "config/key.h"
#include "sonde/config/config.h"

namespace sonde::config {

const KeyTable& KafkaKeys();

// HOST[:PORT][,HOST[:PORT]...][/TOPIC]; without a topic the present one stays. False: it is not
// that, and nothing has changed.
bool ParseKafkaTarget(std::string_view text, KafkaOptions& options);

}  // namespace sonde::config
