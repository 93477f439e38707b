// A walk through what is nested in a file of unknown origin.
#pragma once

#include <cstdint>
#include <optional>

#include "base/file.h"
#include "media/ebml.h"

namespace streamvsr {

// Purpose: walks through what is nested in a file, Matroska's elements or MP4's boxes. Whatever the
// file holds, it ends. Thread-safety: none. Ownership: the File outlives this.
class Walker {
 public:
  // The head that begins at a place before a limit; none where there is none.
  using Head = std::optional<ebml::Element> (*)(ebml::Reader&, std::int64_t at, std::int64_t limit);

  Walker(const File& file, const Head head)
      : reader_(file), head_(head), whole_{0, 0, 0, file.size()} {}

  const ebml::Element& whole() const { return whole_; }

  // What lies in an element behind its first `skipped` bytes, side by side, until `found` says that
  // it is content.
  template <class Found>
  void each(const ebml::Element& parent, const std::int64_t skipped, const Found& found) {
    std::int64_t at = parent.payload + skipped;
    while (at < parent.end && --left_ >= 0) {
      const std::optional<ebml::Element> element = head_(reader_, at, parent.end);
      if (!element || found(*element)) return;
      at = element->end;
    }
  }

  // The first of an id; one without content where there is none.
  ebml::Element first(const ebml::Element& parent, const std::uint32_t id,
                      const std::int64_t skipped = 0) {
    ebml::Element result;
    each(parent, skipped, [&](const ebml::Element& element) {
      if (element.id == id) result = element;
      return element.id == id;
    });
    return result;
  }

  // A big-endian number within an element; 0 where it ends before that.
  std::uint64_t number(const ebml::Element& element, const std::int64_t offset, const int bytes) {
    std::uint64_t value = 0;
    if (element.payload + offset + bytes > element.end) return 0;
    for (const std::uint8_t byte :
         reader_.bytes(element.payload + offset, static_cast<std::size_t>(bytes)))
      value = value << 8 | byte;
    return value;
  }

 private:
  ebml::Reader reader_;
  Head head_;
  ebml::Element whole_;
  // Elements or boxes that are looked at in one file. Sound ones have the description of their
  // tracks behind a few dozen, or behind the fragments of a film.
  int left_ = 1 << 16;
};

// Matroska's elements.
inline std::optional<ebml::Element> element_head(ebml::Reader& reader, const std::int64_t at,
                                                 const std::int64_t limit) {
  return reader.begin(at, limit);
}

// An unsigned number that fills an element; 0 for one that is longer than those are.
inline std::uint64_t unsigned_of(Walker& file, const ebml::Element& element) {
  const std::int64_t bytes = element.end - element.payload;
  return bytes > 8 ? 0 : file.number(element, 0, static_cast<int>(bytes));
}

}  // namespace streamvsr
