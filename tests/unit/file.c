#include "support/scratch.h"
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static void test_map_and_read(void **state)
{
    (void)state;
    const char *path = br_scratch_file("abc", "hello", 5);
    br_file_map map;
    assert_status_ok(br_file_map_init(path, &map));
    assert_int_equal(map.size, 5);
    assert_memory_equal(map.data, "hello", 5);
    br_file_map_finish(&map);
    assert_null(map.data);
    char *data;
    size_t size;
    assert_status_ok(br_file_read(path, 5, &data, &size));
    assert_int_equal(size, 5);
    assert_string_equal(data, "hello");
    free(data);
    assert_status(br_file_read(path, 4, &data, &size), BR_ERROR_FORMAT, "5 bytes, expected at most 4");
    assert_null(data);

    path = br_scratch_file("empty", "", 0);
    assert_status_ok(br_file_map_init(path, &map));
    assert_int_equal(map.size, 0);
    br_file_map_finish(&map);
    assert_status_ok(br_file_read(path, 0, &data, &size));
    assert_string_equal(data, "");
    free(data);
}

/* Whether the page at `at` is in this process's memory; -1 where nobody tells. */
static int is_present(const uint8_t *at)
{
    uint64_t entry = 0; /* Linux, Documentation/admin-guide/mm/pagemap.rst: bit 63 */
    int file = open("/proc/self/pagemap", O_RDONLY);
    off_t place = (off_t)((uintptr_t)at / (uintptr_t)sysconf(_SC_PAGESIZE) * sizeof entry);
    bool read = file >= 0 && pread(file, &entry, sizeof entry, place) == sizeof entry;
    if (file >= 0)
        close(file);
    return read ? (int)(entry >> 63) : -1;
}

/* Of the pages that were all there, those that lie in the range as a whole have left, and most of the others have not. */
static void check_released(const br_file_map *map, size_t first, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), kept = 0, others = 0;
    if (is_present(map->data) < 0)
        return;
    for (size_t at = 0; at < map->size; at += page) {
        bool inside = at >= first && at + page <= first + size, present = is_present(map->data + at);
        if (inside && present)
            fail_msg("the page at byte %zu is still there", at);
        others += !inside;
        kept += !inside && present;
    }
    assert_true(kept >= others / 2); /* the system may take some at any time */
    assert_true(kept > 0 || others <= 1);
}

/* Hints change nothing that can be read, whatever part of the file they are about. */
static void test_hints(void **state)
{
    (void)state;
    enum { SIZE = 5 * 65536 + 13 };
    char *bytes = test_malloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 31 >> 3);
    br_file_map map;
    assert_status_ok(br_file_map_init(br_scratch_file("hints", bytes, SIZE), &map));
    static const size_t ranges[][2] = {{0, SIZE}, {1, 0}, {1, 65536}, {65537, 3 * 65536}, {SIZE - 1, 1}, {SIZE, 0}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        br_file_map_expect(&map, ranges[i][0], ranges[i][1]);
        assert_memory_equal(map.data, bytes, SIZE);
        br_file_map_release(&map, ranges[i][0], ranges[i][1]);
        check_released(&map, ranges[i][0], ranges[i][1]);
        assert_memory_equal(map.data, bytes, SIZE);
    }
    br_file_map_finish(&map);
    test_free(bytes);
}

static void test_unreadable(void **state)
{
    (void)state;
    br_file_map map;
    assert_status(br_file_map_init(br_scratch_path("none"), &map), BR_ERROR_NOT_FOUND, "No such file");
    assert_status(br_file_map_init(br_scratch_path(""), &map), BR_ERROR_IO, "is a folder, expected a file");
    assert_status(br_file_map_init("/dev/null", &map), BR_ERROR_IO, "not a regular file");
    const char *fifo = br_scratch_path("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_status(br_file_map_init(fifo, &map), BR_ERROR_IO, "not a regular file");
    unlink(fifo);
    br_scratch_file("file", "x", 1);
    assert_status(br_file_map_init(br_scratch_path("file/below"), &map), BR_ERROR_NOT_FOUND, "file/below");
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const cases[][3] = {{"a/b", "c", "a/b/c"}, {"a/", "c", "a/c"}, {"", "c", "c"}, {"/", "c", "/c"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = br_path_join(cases[i][0], cases[i][1]);
        assert_string_equal(path, cases[i][2]);
        free(path);
    }
    assert_true(br_file_exists(br_scratch_path("")));
    assert_true(br_file_is_dir(br_scratch_path("")));
    assert_false(br_file_exists(br_scratch_path("none")));
    br_scratch_file("plain", "x", 1);
    assert_false(br_file_is_dir(br_scratch_path("plain")));
}

static void expect_content(const char *path, const char *text)
{
    char *data;
    size_t size;
    assert_status_ok(br_file_read(path, 1000, &data, &size));
    assert_string_equal(data, text);
    free(data);
}

static void test_write(void **state)
{
    (void)state;
    const char *path = br_scratch_path("out");
    mode_t mask = umask(022);
    assert_status_ok(br_file_write(path, "first", 5));
    umask(mask);
    expect_content(path, "first");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0644);
    int before = br_scratch_count();
    br_file_writer writer;
    assert_status_ok(br_file_writer_begin(path, &writer));
    fputs("second", writer.stream);
    fflush(writer.stream);
    expect_content(path, "first"); /* the old file stays until the commit */
    assert_int_equal(br_scratch_count(), before + 1);
    br_file_writer_abort(&writer);
    assert_int_equal(br_scratch_count(), before);
    br_file_writer_abort(&writer);
    assert_status_ok(br_file_write(path, "third", 5));
    expect_content(path, "third");
    assert_int_equal(br_scratch_count(), before);

    const char *link = br_scratch_path("link");
    assert_int_equal(symlink(path, link), 0);
    assert_status_ok(br_file_write(link, "fourth", 6));
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    expect_content(path, "fourth");
}

static void test_write_in_working_folder(void **state)
{
    (void)state;
    char old[512];
    assert_non_null(getcwd(old, sizeof old));
    assert_int_equal(chdir(br_scratch_path("")), 0);
    br_status status = br_file_write("bare name", "x", 1);
    assert_int_equal(chdir(old), 0);
    assert_status_ok(status);
    expect_content(br_scratch_path("bare name"), "x");
}

static void test_unwritable(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    int before = br_scratch_count();
    assert_status(br_file_write(br_scratch_path("none/out"), "x", 1), BR_ERROR_IO,
                  "none/out: cannot write into its folder: No such file");
    assert_status(br_file_write(br_scratch_path(""), "x", 1), BR_ERROR_IO, "is a folder");
    assert_status(br_file_write(br_scratch_path("none/"), "x", 1), BR_ERROR_IO, "is a folder");
    assert_status(br_file_write(br_scratch_path(name), "x", 1), BR_ERROR_IO, "File name too long");
    assert_status(br_file_write("", "x", 1), BR_ERROR_IO, "without a name");
    assert_int_equal(br_scratch_count(), before);
    if (geteuid() != 0) { /* root writes anywhere */
        assert_int_equal(mkdir(br_scratch_path("locked"), 0555), 0);
        assert_status(br_file_write(br_scratch_path("locked/out"), "x", 1), BR_ERROR_IO, "Permission denied");
    }
}

static void test_no_room(void **state)
{
    (void)state;
    static char data[100000];
    /* A device is written in place, and this one has no room. */
    const char *full = br_scratch_full_device();
    if (full) {
        struct stat info;
        assert_status(br_file_write(full, "x", 1), BR_ERROR_IO, "full: cannot write: No space left on device");
        assert_status(br_file_write(full, data, sizeof data), BR_ERROR_IO, "No space left on device");
        assert_int_equal(stat(full, &info), 0);
        assert_true(S_ISCHR(info.st_mode));
    } else {
        print_message("no device without room here: not checked\n");
    }

    /* A limit on the file size fails in the same place as a full disk. */
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 10000;
    const char *path = br_scratch_path("big");
    int before = br_scratch_count();
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    br_status whole = br_file_write(path, data, sizeof data);
    br_file_writer writer;
    br_status begin = br_file_writer_begin(path, &writer);
    for (int i = 0; !begin && i < 100; i++)
        fwrite(data, 1, 1000, writer.stream);
    br_status commit = begin ? NULL : br_file_writer_commit(&writer);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_status_ok(begin);
    assert_status(whole, BR_ERROR_IO, "big: cannot write: File too large");
    assert_status(commit, BR_ERROR_IO, "big: cannot write");
    assert_false(br_file_exists(path));
    assert_int_equal(br_scratch_count(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_and_read), cmocka_unit_test(test_hints),   cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_paths),        cmocka_unit_test(test_write),   cmocka_unit_test(test_write_in_working_folder),
        cmocka_unit_test(test_unwritable),   cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, br_scratch_setup, br_scratch_teardown);
}
