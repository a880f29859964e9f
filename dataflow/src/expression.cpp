// SPDX-License-Identifier: Apache-2.0
#include "expression.hpp"

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>
#include <askos/dataflow/peek.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

namespace askos::dataflow {

struct Expression::Node {
  std::function<double(const PacketFacts&)> value;
};

namespace {

using Value = std::function<double(const PacketFacts&)>;

/// Deeper nesting than anybody writes; hostile input must not exhaust the stack.
constexpr int kMostNested = 50;

struct Field {
  const char* name;
  double (*value)(const PacketFacts&);
};
constexpr std::array<Field, 8> kFields{
    {{"sample", [](const PacketFacts& f) { return static_cast<double>(f.meta.sample.value); }},
     {"trace", [](const PacketFacts& f) { return static_cast<double>(f.meta.trace.value); }},
     {"weight", [](const PacketFacts& f) { return f.meta.weight; }},
     {"cells.begin", [](const PacketFacts& f) { return static_cast<double>(f.meta.cells.begin); }},
     {"cells.end", [](const PacketFacts& f) { return static_cast<double>(f.meta.cells.end); }},
     {"host_bytes",
      [](const PacketFacts& f) { return static_cast<double>(f.meta.host_bytes.value); }},
     {"device_bytes",
      [](const PacketFacts& f) { return static_cast<double>(f.meta.device_bytes.value); }},
     {"age", [](const PacketFacts& f) { return f.age_s; }}}};

struct Function {
  const char* name;
  double (*value)(const TensorStatistics&);
  double (*join)(double, double);  ///< of several tensors
};
double sum(double a, double b) {
  return a + b;
}
double smaller(double a, double b) {
  return std::min(a, b);
}
double larger(double a, double b) {
  return std::max(a, b);
}
constexpr std::array<Function, 7> kFunctions{
    {{"nan", [](const TensorStatistics& s) { return static_cast<double>(s.num_nan); }, sum},
     {"inf", [](const TensorStatistics& s) { return static_cast<double>(s.num_inf); }, sum},
     {"count", [](const TensorStatistics& s) { return static_cast<double>(s.sampled); }, sum},
     {"min", [](const TensorStatistics& s) { return s.min; }, smaller},
     {"max", [](const TensorStatistics& s) { return s.max; }, larger},
     {"mean", [](const TensorStatistics& s) { return s.mean; }, larger},
     {"deviation", [](const TensorStatistics& s) { return s.deviation; }, larger}}};

struct Binary {
  const char* sign;
  double (*value)(double, double);
};
/// From the weakest to the strongest; longer signs before those that they begin with.
const std::vector<std::vector<Binary>> kLevels{
    {{"||", [](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; }}},
    {{"&&", [](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; }}},
    {{"<=", [](double a, double b) { return a <= b ? 1.0 : 0.0; }},
     {">=", [](double a, double b) { return a >= b ? 1.0 : 0.0; }},
     {"==", [](double a, double b) { return a == b ? 1.0 : 0.0; }},
     {"!=", [](double a, double b) { return a != b ? 1.0 : 0.0; }},
     {"<", [](double a, double b) { return a < b ? 1.0 : 0.0; }},
     {">", [](double a, double b) { return a > b ? 1.0 : 0.0; }}},
    {{"+", [](double a, double b) { return a + b; }},
     {"-", [](double a, double b) { return a - b; }}},
    {{"*", [](double a, double b) { return a * b; }},
     {"/", [](double a, double b) { return a / b; }},
     {"%", [](double a, double b) { return std::fmod(a, b); }}}};

bool is_name_start(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_';
}
bool is_name_part(char letter) {
  return is_name_start(letter) || (letter >= '0' && letter <= '9') || letter == '.';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Value parse() {
    auto value = binary(0);
    skip();
    if (at_ < text_.size()) throw error("an operator or the end");
    return value;
  }
  [[nodiscard]] bool uses_payload() const noexcept { return uses_payload_; }

 private:
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool accept(std::string_view sign) {
    skip();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  [[nodiscard]] Error error(const std::string& expected) const {
    return Error(Errc::kUsage, "expression does not parse")
        .with("position", at_ + 1)
        .with("expected", expected)
        .with("found", at_ < text_.size() ? std::string(text_.substr(at_, 10)) : "the end");
  }

  Value binary(std::size_t level) {
    if (level == kLevels.size()) return unary();
    auto left = binary(level + 1);
    for (;;) {
      const auto found = std::ranges::find_if(
          kLevels[level], [this](const Binary& operation) { return accept(operation.sign); });
      if (found == kLevels[level].end()) return left;
      left = [left = std::move(left), right = binary(level + 1), value = found->value](
                 const PacketFacts& facts) { return value(left(facts), right(facts)); };
      if (++num_nested_ > kMostNested) throw error("a shorter expression");
    }
  }

  Value unary() {
    if (++depth_ > kMostNested) throw error("less nesting");
    Value value;
    if (accept("!")) {
      value = [operand = unary()](const PacketFacts& f) { return operand(f) == 0 ? 1.0 : 0.0; };
    } else if (accept("-")) {
      value = [operand = unary()](const PacketFacts& facts) { return -operand(facts); };
    } else {
      value = primary();
    }
    --depth_;
    return value;
  }

  Value primary() {
    if (accept("(")) {
      auto value = binary(0);
      if (!accept(")")) throw error(")");
      return value;
    }
    skip();
    if (at_ < text_.size() && is_name_start(text_[at_])) return named();
    return number();
  }

  std::string_view name() {
    skip();
    const auto begin = at_;
    while (at_ < text_.size() && is_name_part(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Value named() {
    const auto begin = at_;
    const auto word = name();
    if (accept("(")) {
      const auto function = std::ranges::find(kFunctions, word, &Function::name);
      if (function == kFunctions.end()) throw unknown(begin, word);
      auto value = of_tensor(*function);
      if (!accept(")")) throw error(")");
      return value;
    }
    const auto field = std::ranges::find(kFields, word, &Field::name);
    if (field == kFields.end()) throw unknown(begin, word);
    return field->value;
  }

  Value of_tensor(const Function& function) {
    uses_payload_ = true;
    skip();
    if (accept("*")) {
      return [function](const PacketFacts& facts) {
        double value = 0;
        bool first = true;
        for (const auto& tensor : facts.payload) {
          const double next = function.value(statistics_of(tensor));
          value = first ? next : function.join(value, next);
          first = false;
        }
        return value;
      };
    }
    const std::string wanted(name());
    if (wanted.empty()) throw error("the name of a tensor, or *");
    return [function, wanted](const PacketFacts& facts) {
      const auto found = std::ranges::find(facts.payload, wanted, &TensorView::name);
      if (found == facts.payload.end()) {
        std::vector<std::string> names;
        for (const auto& tensor : facts.payload) names.push_back(tensor.name);
        Error missing(Errc::kNotFound, "payload has no such tensor");
        missing.with("tensor", wanted);
        suggest(missing, wanted, names);
        throw missing;
      }
      return function.value(statistics_of(*found));
    };
  }

  [[nodiscard]] Error unknown(std::size_t begin, std::string_view word) {
    std::vector<std::string> names;
    for (const auto& field : kFields) names.emplace_back(field.name);
    for (const auto& function : kFunctions) names.emplace_back(function.name);
    Error failure(Errc::kUsage, "expression uses an unknown name");
    failure.with("position", begin + 1).with("name", word);
    suggest(failure, word, names);
    return failure;
  }

  /// A number, perhaps with a unit of time.
  Value number() {
    double value = 0;
    const auto* const begin = text_.data() + at_;
    const auto [end, failure] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (failure != std::errc{}) throw error("a number, a name or (");
    at_ += static_cast<std::size_t>(end - begin);
    constexpr std::array<std::pair<const char*, double>, 4> kUnits{
        {{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"s", 1}}};
    for (const auto& [unit, seconds] : kUnits) {
      if (text_.substr(at_).starts_with(unit)) {
        at_ += std::string_view(unit).size();
        value *= seconds;
        break;
      }
    }
    return [value](const PacketFacts&) { return value; };
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int num_nested_ = 0;
  bool uses_payload_ = false;
};

}  // namespace

Expression::Expression(std::string_view text) {
  Parser parser(text);
  root_ = std::make_shared<const Node>(Node{parser.parse()});
  uses_payload_ = parser.uses_payload();
}

bool Expression::holds(const PacketFacts& facts) const {
  return root_->value(facts) != 0;
}

}  // namespace askos::dataflow
