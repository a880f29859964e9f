// SPDX-License-Identifier: Apache-2.0
#include "mappings.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace askos::model {
namespace {

using Kind = Mapping::Kind;

at::Tensor power(const Mapping& mapping, const at::Tensor& x, double exponent) {
  const at::Tensor curve = x.clamp_min(0).pow(exponent);
  if (!mapping.linear_above_one) return curve;
  // The tangent in 1, where both meet.
  return at::where(x > 1, 1 + exponent * (x - 1), curve);
}

at::Tensor box_cox(double exponent, const at::Tensor& x) {
  return exponent == 0 ? x.log() : (x.pow(exponent) - 1) / exponent;
}

at::Tensor box_cox_back(double exponent, const at::Tensor& y) {
  return exponent == 0 ? y.exp() : (y * exponent + 1).clamp_min(0).pow(1 / exponent);
}

at::Tensor clip(const Mapping& mapping, const at::Tensor& x) {
  return mapping.clip_negative ? x.clamp_min(0) : x;
}

at::Tensor displaced(const Mapping& mapping, const at::Tensor& x) {
  at::Tensor y = x;
  if (const auto& atom = mapping.lower) {
    y = y.masked_fill(x <= atom->value + mapping.tolerance, atom->target);
  }
  if (const auto& atom = mapping.upper) {
    y = y.masked_fill(x >= atom->value - mapping.tolerance, atom->target);
  }
  return y;
}

at::Tensor within_atoms(const Mapping& mapping, at::Tensor y) {
  if (mapping.lower) y = y.clamp_min(mapping.lower->value);
  if (mapping.upper) y = y.clamp_max(mapping.upper->value);
  return y;
}

}  // namespace

void check_mapping(Faults& faults, const std::string& name, const Mapping& mapping) {
  const std::string of = "mapping of '" + name + "': ";
  switch (mapping.kind) {
    case Kind::kPower:
      faults.check(mapping.exponent > 0, of + "the exponent must be positive");
      break;
    case Kind::kAtanh: faults.check(mapping.rho >= 0, of + "rho must not be negative"); break;
    case Kind::kAsinh:
    case Kind::kAffine: faults.check(mapping.scale != 0, of + "the scale must not be 0"); break;
    case Kind::kDisplaceAtoms:
      faults.check(!mapping.lower || mapping.lower->target < mapping.lower->value,
                   of + "the lower target must be below the atom");
      faults.check(!mapping.upper || mapping.upper->target > mapping.upper->value,
                   of + "the upper target must be above the atom");
      break;
    case Kind::kNone:
    case Kind::kLog1p:
    case Kind::kSqrt:
    case Kind::kBoxCox: break;
  }
}

bool can_map(const Mapping& mapping, const at::Tensor& x) {
  const auto none = [](const at::Tensor& outside) { return !outside.any().item<bool>(); };
  switch (mapping.kind) {
    case Kind::kLog1p: return none(x <= -1);
    case Kind::kSqrt: return none(x < 0);
    case Kind::kBoxCox:
      return mapping.exponent == 0 ? none(x <= 0) : mapping.clip_negative || none(x < 0);
    case Kind::kPower: return mapping.clip_negative || none(x < 0);
    case Kind::kAtanh: return mapping.rho == 0 || none((x < 0).logical_or(x > 1));
    case Kind::kNone:
    case Kind::kAsinh:
    case Kind::kAffine:
    case Kind::kDisplaceAtoms: break;
  }
  return true;
}

at::Tensor mapped_values(const Mapping& mapping, const at::Tensor& x) {
  switch (mapping.kind) {
    case Kind::kNone: break;
    case Kind::kLog1p: return x.log1p();
    case Kind::kSqrt: return x.sqrt();
    case Kind::kBoxCox: return box_cox(mapping.exponent, clip(mapping, x));
    case Kind::kPower: return power(mapping, clip(mapping, x), mapping.exponent);
    case Kind::kAtanh:
      if (mapping.rho == 0) return x;
      return ((x * 2 - 1) * std::tanh(mapping.rho)).atanh() / mapping.rho;
    case Kind::kAsinh: return (x * mapping.scale).asinh();
    case Kind::kAffine: return x * mapping.scale + mapping.shift;
    case Kind::kDisplaceAtoms: return displaced(mapping, x);
  }
  return x;
}

at::Tensor unmapped_values(const Mapping& mapping, const at::Tensor& y) {
  switch (mapping.kind) {
    case Kind::kNone: break;
    case Kind::kLog1p: return y.expm1();
    case Kind::kSqrt: return y.clamp_min(0).square();
    case Kind::kBoxCox: return box_cox_back(mapping.exponent, y);
    case Kind::kPower: return power(mapping, y, 1 / mapping.exponent);
    case Kind::kAtanh:
      if (mapping.rho == 0) return y.clamp(0, 1);
      return (((y * mapping.rho).tanh() / std::tanh(mapping.rho) + 1) * 0.5).clamp(0, 1);
    case Kind::kAsinh: return y.sinh() / mapping.scale;
    case Kind::kAffine: return (y - mapping.shift) / mapping.scale;
    case Kind::kDisplaceAtoms: return within_atoms(mapping, y);
  }
  return y;
}

}  // namespace askos::model
