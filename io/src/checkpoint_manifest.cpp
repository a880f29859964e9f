// SPDX-License-Identifier: Apache-2.0
#include "checkpoint_manifest.hpp"

#include <askos/base/error.hpp>
#include <askos/io/crc32c.hpp>

#include <span>
#include <string>

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
  const auto version = body.at("askos_checkpoint").as_integer();
  if (version > kManifestVersion) {  // told first: a later one may make its CRC in another way
    throw Error(Errc::kInvalidInput, kNewerManifest)
        .with("expected", "version " + std::to_string(kManifestVersion) + " or older")
        .with("found", version);
  }
  if (const auto expected = manifest.at("crc32c").as_integer(); crc_of(body) != expected) {
    throw Error(Errc::kCorruptData, "checkpoint manifest does not match its CRC")
        .with("expected_crc32c", expected)
        .with("found_crc32c", crc_of(body));
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
