// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace askos::apps {

/// While it lives, linear layers that this thread runs on the CPU multiply in bfloat16; layer
/// norms, attention, the residual stream and the loss stay in float32. Does nothing if not
/// `enabled`.
class Autocast {
 public:
  explicit Autocast(bool enabled);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool enabled_;
};

}  // namespace askos::apps
