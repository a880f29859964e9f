// SPDX-License-Identifier: Apache-2.0
// Precompiled for this library and its tests: LibTorch's headers cost more than all else.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/variable.h>
