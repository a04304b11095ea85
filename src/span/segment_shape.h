// SPDX-License-Identifier: Apache-2.0
// Tells by its shape whether a path segment is a value (number, hash, date, slug ...) or a name
// that belongs to a route. Shape decides at once and without memory; what it cannot tell, the route
// learner finds out by counting.
#pragma once

#include <cstdint>
#include <string_view>

namespace sonde::span {

enum class SegmentShape : uint8_t { kLiteral, kId, kDate, kIp, kEmail, kSlug };

// Longer segments are values whatever they look like.
inline constexpr size_t kMaxLiteralBytes = 64;

// `segment` is percent-decoded and has no file extension that the caller wants judged apart.
SegmentShape ShapeOf(std::string_view segment);

// "{id}", "{date}" ...; not for kLiteral.
std::string_view Placeholder(SegmentShape shape);

// Whether a file extension (without dot, any case) is that of a static asset: script, style, image,
// font, media, archive. Pages and data (html, json, xml, txt, php) are not: they are as often
// endpoints.
bool IsAssetExtension(std::string_view extension);

}  // namespace sonde::span
