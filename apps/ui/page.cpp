// SPDX-License-Identifier: Apache-2.0
#include "page.hpp"

#include "page_files.hpp"

#include <askos/base/error.hpp>

namespace askos::apps {
namespace {

void put(std::string& page, std::string_view mark, std::string_view text) {
  const auto at = page.find(mark);
  ASKOS_CHECK(at != std::string::npos);
  page.replace(at, mark.size(), text);
}

/// Keeps text that came from a graph from ending the element it stands in.
std::string without_tags(const std::string& json) {
  std::string safe;
  for (const char c : json) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

}  // namespace

std::string make_page(const std::string& snapshot) {
  std::string page(kPageHtml);
  std::string scripts;
  for (const auto script : kPageScripts) {
    scripts += script;
    scripts += '\n';
  }
  put(page, "/*@PAGE_CSS@*/", kPageCss);
  put(page, "/*@D3@*/", kGraphicsLibrary);
  put(page, "/*@DAGRE@*/", kLayoutLibrary);
  put(page, "/*@SCRIPTS@*/", scripts);
  put(page, "/*@SNAPSHOT@*/", without_tags(snapshot));  // last: it may hold anything
  return page;
}

}  // namespace askos::apps
