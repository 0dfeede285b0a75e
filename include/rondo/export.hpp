#pragma once

// Marks what the shared library exports; everything else has hidden visibility.
#define RONDO_API [[gnu::visibility("default")]]
// Takes a nested class of an exported one out again.
#define RONDO_LOCAL [[gnu::visibility("hidden")]]
