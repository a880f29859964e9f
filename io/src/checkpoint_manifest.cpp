// SPDX-License-Identifier: Apache-2.0
#include "checkpoint_manifest.hpp"

#include <askos/base/error.hpp>
#include <askos/io/crc32c.hpp>

#include <span>

namespace askos::io {
namespace {

constexpr std::int64_t kManifestVersion = 1;

std::int64_t crc_of(const Metadata& body) {
  const std::string text = to_json(body, /*compact=*/true);
  return crc32c(std::as_bytes(std::span(text)));
}

}  // namespace

std::string manifest_text(const CheckpointInfo& checkpoint) {
  Metadata body;
  body["askos_checkpoint"] = kManifestVersion;
  body["step"] = checkpoint.step;
  body["metadata"] = checkpoint.metadata;
  Metadata::Array parts;
  for (const auto& part : checkpoint.parts) {
    Metadata entry;
    entry["name"] = part.name;
    entry["size_bytes"] = part.size_bytes;
    entry["crc32c"] = std::int64_t{part.crc32c};
    parts.push_back(std::move(entry));
  }
  body["parts"] = std::move(parts);
  Metadata manifest;
  manifest["crc32c"] = crc_of(body);
  manifest["checkpoint"] = std::move(body);
  return to_json(manifest) + "\n";
}

CheckpointInfo parse_manifest(std::string_view text) {
  const Metadata manifest = parse_json(text);
  const Metadata& body = manifest.at("checkpoint");
  if (crc_of(body) != manifest.at("crc32c").as_integer()) {
    throw Error(Errc::kCorruptData, "checkpoint manifest does not match its CRC");
  }
  if (body.at("askos_checkpoint").as_integer() > kManifestVersion) {
    throw Error(Errc::kInvalidInput, "checkpoint was written by a newer askos")
        .with("found", body.at("askos_checkpoint").as_integer())
        .with("expected", kManifestVersion);
  }
  CheckpointInfo checkpoint;
  checkpoint.step = body.at("step").as_integer();
  checkpoint.metadata = body.at("metadata");
  for (const Metadata& part : body.at("parts").as_array()) {
    checkpoint.parts.push_back({part.at("name").as_string(), part.at("size_bytes").as_integer(),
                                static_cast<std::uint32_t>(part.at("crc32c").as_integer())});
  }
  return checkpoint;
}

}  // namespace askos::io
