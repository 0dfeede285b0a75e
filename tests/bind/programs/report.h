#pragma once

/* What a rank finds, a line each: "what: hash of the bytes that it has". Rank 0 writes those of all
 * ranks, which reach it in messages, since collectives are what is on trial. */

#include <mpi.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct report {
  char* text;
  size_t length;
  size_t room;
};

static struct report report_lines;

static void report_text(const char* format, ...) {
  struct report* report = &report_lines;
  if (report->room - report->length < 400) {
    report->room = 2 * report->room + 4000;
    report->text = (char*)realloc(report->text, report->room);
    if (report->text == NULL) abort();
  }
  va_list arguments;
  va_start(arguments, format);
  const int written = vsnprintf(report->text + report->length, 400, format, arguments);
  va_end(arguments);
  report->length += (size_t)(written < 399 ? written : 399);
}

static uint64_t report_hash(const void* data, size_t bytes) {
  const unsigned char* at = (const unsigned char*)data;
  uint64_t hash = 0xcbf29ce484222325u;
  size_t i = 0;
  for (; i + 8 <= bytes; i += 8) {
    uint64_t word;
    memcpy(&word, at + i, 8);
    hash = (hash ^ word) * 0x100000001b3u;
    hash ^= hash >> 29;
  }
  for (; i < bytes; ++i) hash = (hash ^ at[i]) * 0x100000001b3u;
  return hash;
}

static void report_bytes(const char* what, const void* data, size_t bytes) {
  report_text("%s: %016llx\n", what, (unsigned long long)report_hash(data, bytes));
}

/* To a file, since launchers hold up what is printed. */
static void report_write(const char* path) {
  int rank = 0;
  int size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  struct report* own = &report_lines;
  if (rank > 0) {
    unsigned long long length = own->length;
    MPI_Send(&length, 1, MPI_UNSIGNED_LONG_LONG, 0, 77, MPI_COMM_WORLD);
    MPI_Send(own->text, (int)own->length, MPI_CHAR, 0, 78, MPI_COMM_WORLD);
    return;
  }
  FILE* file = fopen(path, "w");
  if (file == NULL) {
    perror(path);
    abort();
  }
  fprintf(file, "rank 0\n%.*s", (int)own->length, own->text);
  for (int from = 1; from < size; ++from) {
    unsigned long long length = 0;
    MPI_Recv(&length, 1, MPI_UNSIGNED_LONG_LONG, from, 77, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    char* text = (char*)malloc(length + 1);
    if (text == NULL) abort();
    MPI_Recv(text, (int)length, MPI_CHAR, from, 78, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    fprintf(file, "rank %d\n%.*s", from, (int)length, text);
    free(text);
  }
  if (fclose(file) != 0) {
    perror(path);
    abort();
  }
}
