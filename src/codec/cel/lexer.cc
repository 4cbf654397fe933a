#include "codec/cel/lexer.h"

#include <algorithm>
#include <array>

#include "codec/cel/text.h"

namespace keelson::codec::cel {

namespace {

constexpr std::array<std::string_view, 36> kNames = {
    "<EOF>",  "'=='",  "'!='",       "'in'",          "'<'",    "'<='",      "'>='",    "'>'",
    "'&&'",   "'||'",  "'['",        "']'",           "'{'",    "'}'",       "'('",     "')'",
    "'.'",    "','",   "'-'",        "'!'",           "'?'",    "':'",       "'+'",     "'*'",
    "'/'",    "'%'",   "'true'",     "'false'",       "'null'", "NUM_FLOAT", "NUM_INT", "NUM_UINT",
    "STRING", "BYTES", "IDENTIFIER", "ESC_IDENTIFIER"};

bool is_digit(char32_t c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char32_t c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_letter(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

class Scanner {
 public:
  Scanner(const Source& source, std::vector<SourceError>& errors)
      : text_(source.points()), errors_(errors) {}

  std::vector<Lexeme> run() {
    std::vector<Lexeme> tokens;
    while (at_ < text_.size()) {
      if (skip_hidden()) continue;
      reach_ = at_;
      Token token = Token::end;
      const std::size_t length = longest(token);
      if (length > 0) {
        tokens.push_back(
            {token, static_cast<std::uint32_t>(at_), static_cast<std::uint32_t>(at_ + length)});
        at_ += length;
        continue;
      }
      // Matching went up to reach_; the next token is looked for behind it.
      const std::size_t stop = std::min(reach_ + 1, text_.size());
      errors_.push_back(
          {static_cast<std::int64_t>(at_), "Syntax error: token recognition error at: '" +
                                               escape_space(to_utf8(text_, at_, stop)) + "'"});
      at_ = stop;
    }
    const auto end = static_cast<std::uint32_t>(text_.size());
    tokens.push_back({Token::end, end, end});
    return tokens;
  }

 private:
  char32_t peek(std::size_t i) const { return i < text_.size() ? text_[i] : 0; }

  bool skip_hidden() {
    const std::size_t start = at_;
    const auto space = [&](char32_t c) {
      return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
    };
    while (at_ < text_.size() && space(text_[at_])) ++at_;
    if (at_ == start && peek(at_) == '/' && peek(at_ + 1) == '/')
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    return at_ > start;
  }

  // The length of the longest token here; 0 if there is none, with reach_ at the character that
  // ended the attempt.
  std::size_t longest(Token& token) {
    const char32_t c = text_[at_];
    std::size_t best = punctuation(c, token);
    if (is_digit(c) || (c == '.' && is_digit(peek(at_ + 1)))) best = number(token);
    if (is_letter(c)) best = word(token);
    if (c == '`') best = escaped(token);
    if (const std::size_t length = text_literal(c, token); length > best) best = length;
    return best;
  }

  std::size_t punctuation(char32_t c, Token& token) {
    const auto two = [&](char32_t next, Token with, Token without) -> std::size_t {
      if (peek(at_ + 1) == next) {
        token = with;
        return 2;
      }
      token = without;
      if (without == Token::end) {
        reach_ = at_ + 1;
        return 0;
      }
      return 1;
    };
    switch (c) {
      case '=': return two('=', Token::equals, Token::end);
      case '!': return two('=', Token::not_equals, Token::exclamation);
      case '<': return two('=', Token::less_equals, Token::less);
      case '>': return two('=', Token::greater_equals, Token::greater);
      case '&': return two('&', Token::logical_and, Token::end);
      case '|': return two('|', Token::logical_or, Token::end);
      default: break;
    }
    static constexpr std::u32string_view kSingle = U"[]{}().,-?:+*/%";
    static constexpr Token kTokens[] = {Token::left_bracket,
                                        Token::right_bracket,
                                        Token::left_brace,
                                        Token::right_brace,
                                        Token::left_parenthesis,
                                        Token::right_parenthesis,
                                        Token::dot,
                                        Token::comma,
                                        Token::minus,
                                        Token::question,
                                        Token::colon,
                                        Token::plus,
                                        Token::star,
                                        Token::slash,
                                        Token::percent};
    const std::size_t place = kSingle.find(c);
    if (place == std::u32string_view::npos) return 0;
    token = kTokens[place];
    return 1;
  }

  std::size_t number(Token& token) {
    const char32_t c = text_[at_];
    if (c == '0' && peek(at_ + 1) == 'x' && is_hex(peek(at_ + 2))) {
      std::size_t end = at_ + 2;
      while (is_hex(peek(end))) ++end;
      return with_suffix(end, token);
    }
    std::size_t end = at_;
    while (is_digit(peek(end))) ++end;
    bool real = false;
    if (peek(end) == '.' && is_digit(peek(end + 1))) {
      real = true;
      for (++end; is_digit(peek(end));) ++end;
    }
    if (peek(end) == 'e' || peek(end) == 'E') {
      const std::size_t sign = peek(end + 1) == '+' || peek(end + 1) == '-' ? 1 : 0;
      if (is_digit(peek(end + 1 + sign))) {
        real = true;
        for (end += 1 + sign; is_digit(peek(end));) ++end;
      }
    }
    if (!real) return with_suffix(end, token);
    token = Token::float_number;
    return end - at_;
  }
  std::size_t with_suffix(std::size_t end, Token& token) {
    const bool is_unsigned = peek(end) == 'u' || peek(end) == 'U';
    token = is_unsigned ? Token::unsigned_integer : Token::integer;
    return end - at_ + (is_unsigned ? 1 : 0);
  }

  std::size_t word(Token& token) {
    std::size_t end = at_;
    while (is_letter(peek(end)) || is_digit(peek(end))) ++end;
    const std::string name = to_utf8(text_, at_, end);
    token = name == "in"      ? Token::in
            : name == "true"  ? Token::true_word
            : name == "false" ? Token::false_word
            : name == "null"  ? Token::null_word
                              : Token::identifier;
    return end - at_;
  }

  std::size_t escaped(Token& token) {
    std::size_t end = at_ + 1;
    const auto allowed = [](char32_t c) {
      return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '/' || c == ' ';
    };
    while (allowed(peek(end))) ++end;
    reach_ = end;
    if (end == at_ + 1 || peek(end) != '`') return 0;
    token = Token::escaped_identifier;
    return end + 1 - at_;
  }

  // [bB]? [rR]? quote ... quote. A prefix without a literal is a word.
  std::size_t text_literal(char32_t c, Token& token) {
    std::size_t at = at_;
    const bool bytes = (c == 'b' || c == 'B');
    if (bytes) ++at;
    const bool raw = peek(at) == 'r' || peek(at) == 'R';
    if (raw) ++at;
    const char32_t delimiter = peek(at);
    if (delimiter != '"' && delimiter != '\'') return 0;
    std::size_t best = 0;
    std::size_t stop = at;
    if (peek(at + 1) == delimiter && peek(at + 2) == delimiter)
      best = quoted(at + 3, delimiter, true, raw, stop);
    std::size_t single_stop = at;
    const std::size_t single = quoted(at + 1, delimiter, false, raw, single_stop);
    best = std::max(best, single);
    reach_ = std::max({reach_, stop, single_stop});
    if (best == 0) return 0;
    token = bytes ? Token::bytes : Token::string;
    return best - at_;
  }

  // Where the literal ends; 0 if it does not, with `stop` at the character that broke it.
  std::size_t quoted(std::size_t at, char32_t delimiter, bool triple, bool raw, std::size_t& stop) {
    while (at < text_.size()) {
      const char32_t c = text_[at];
      if (c == delimiter && !triple) return at + 1;
      if (c == delimiter && peek(at + 1) == delimiter && peek(at + 2) == delimiter) return at + 3;
      if (!triple && (c == '\n' || c == '\r')) break;
      if (c == '\\' && !raw) {
        const std::size_t end = escape(at);
        if (end == 0) {
          stop = escape_stop_;
          return 0;
        }
        at = end;
        continue;
      }
      ++at;
    }
    stop = at;
    return 0;
  }

  // Where the escape sequence at `at` ends, or 0.
  std::size_t escape(std::size_t at) {
    const char32_t kind = peek(at + 1);
    escape_stop_ = at + 1;
    static constexpr std::u32string_view kSimple = U"abfnrtv\"'\\?`";
    if (kind != 0 && kSimple.find(kind) != std::u32string_view::npos) return at + 2;
    std::size_t digits = 0;
    if (kind == 'x' || kind == 'X') digits = 2;
    if (kind == 'u') digits = 4;
    if (kind == 'U') digits = 8;
    for (std::size_t i = 0; i < digits; ++i)
      if (!is_hex(peek(at + 2 + i))) {
        escape_stop_ = at + 2 + i;
        return 0;
      }
    if (digits > 0) return at + 2 + digits;
    if (kind < '0' || kind > '3') return 0;
    for (std::size_t i = 2; i < 4; ++i)
      if (peek(at + i) < '0' || peek(at + i) > '7') {
        escape_stop_ = at + i;
        return 0;
      }
    return at + 4;
  }

  const std::vector<char32_t>& text_;
  std::vector<SourceError>& errors_;
  std::size_t at_ = 0;
  std::size_t reach_ = 0;
  std::size_t escape_stop_ = 0;
};

}  // namespace

std::vector<Lexeme> scan(const Source& source, std::vector<SourceError>& errors) {
  return Scanner(source, errors).run();
}

std::string_view token_name(Token token) {
  return kNames[static_cast<std::size_t>(token)];
}

std::string escape_space(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else
      out += c;
  }
  return out;
}

}  // namespace keelson::codec::cel
