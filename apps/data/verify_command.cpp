// SPDX-License-Identifier: Apache-2.0
#include "command_line/error_report.hpp"
#include "commands.hpp"

#include <askos/base/unit.hpp>
#include <askos/io/file.hpp>
#include <askos/io/verify.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const std::string& path, const io::VerifyReport& report) {
  Json faults = Json::array();
  for (const Error& fault : report.faults) {
    faults.push_back({{"code", to_string(fault.code())}, {"what", fault.what()}});
  }
  return {{"path", path},
          {"ok", report.ok()},
          {"rows", report.num_rows},
          {"missing_rows", report.num_missing_rows},
          {"chunks", report.num_chunks},
          {"bytes", report.num_bytes},
          {"faults", faults}};
}

void print(const std::string& path, const io::VerifyReport& report) {
  std::cout << path << ": " << (report.ok() ? "intact" : "faulty") << "\n";
  if (report.num_chunks == 0) {
    std::cout << "  structure: checked; values: not read\n";
    return;
  }
  std::cout << "  structure, axes and tables: checked\n"
            << "  rows: " << report.num_rows << ", of which " << report.num_missing_rows
            << " are missing\n"
            << "  values: " << report.num_chunks << " chunks, " << Bytes{report.num_bytes}
            << ", compared with their CRCs" << (report.ok() ? ", NaN counts and statistics" : "")
            << "\n";
}

int verify(const std::string& path, bool json) {
  // A file that cannot be opened is the caller's fault, not the dataset's.
  if (std::filesystem::is_directory(path)) {
    throw Error(Errc::kUsage, "a folder is no dataset").with("file", path);
  }
  io::File(io::system_file_operations(), path, io::OpenMode::kRead).close();
  const auto result = io::verify_dataset(path);
  if (json) {
    std::cout << to_json(path, result).dump() << "\n";
  } else {
    print(path, result);
  }
  for (const Error& fault : result.faults) {
    report(fault);
  }
  if (result.ok()) {
    return 0;
  }
  const bool environment = std::ranges::any_of(
      result.faults, [](const Error& fault) { return fault.code() == Errc::kEnvironment; });
  return exit_code(environment ? Errc::kEnvironment : Errc::kCheckFailed);
}

}  // namespace

void add_verify(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "verify", "check a dataset in full: structure, every chunk's CRC, NaN counts, statistics");
  auto path = std::make_shared<std::string>();
  command.add_option("dataset", *path, "made by askos import")->type_name("FILE.h5")->required();
  add_common_options(command, line.common);
  command.footer(
      "Example: askos verify storm.h5\n"
      "Exit code 7: the file is there but does not hold what it says; one line for each fault.");
  command.callback([&common = line.common, &action = line.action, path] {
    action = [&common, path] { return verify(*path, common.json); };
  });
}

}  // namespace askos::apps
