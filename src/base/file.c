#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Part of the name that goes into the temporary's name; file systems take 255 bytes. */
#define TEMPORARY_NAME_MAX 200
/* Names tried before giving up: a collision means another writer of the same file within a nanosecond. */
#define TEMPORARY_ATTEMPTS 16

static br_status fail_errno(const char *path, const char *verb, int error)
{
    br_code code = error == ENOENT || error == ENOTDIR ? BR_ERROR_NOT_FOUND
                   : error == ENOMEM                   ? BR_ERROR_OUT_OF_HOST_MEMORY
                                                       : BR_ERROR_IO;
    return br_fail(code, "%s: cannot %s: %s", path, verb, strerror(error));
}

/* Opens a regular file for reading and measures it. */
static br_status open_regular(const char *path, int *out_fd, size_t *out_size)
{
    /* O_NONBLOCK: a FIFO must be refused below, not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail_errno(path, "open", errno);
    struct stat info;
    br_status status = NULL;
    if (fstat(fd, &info))
        status = fail_errno(path, "read", errno);
    else if (S_ISDIR(info.st_mode))
        status = br_fail(BR_ERROR_IO, "%s: is a folder, expected a file", path);
    else if (!S_ISREG(info.st_mode))
        status = br_fail(BR_ERROR_IO, "%s: not a regular file", path);
    else if ((uintmax_t)info.st_size > SIZE_MAX / 2)
        status = br_fail(BR_ERROR_IO, "%s: too large for this machine's address space", path);
    if (status) {
        close(fd);
        return status;
    }
    *out_fd = fd;
    *out_size = (size_t)info.st_size;
    return NULL;
}

br_status br_file_map_init(const char *path, br_file_map *out_map)
{
    *out_map = (br_file_map){0};
    int fd;
    size_t size;
    BR_TRY(open_regular(path, &fd, &size));
    br_status status = NULL;
    if (size > 0) {
        void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = fail_errno(path, "map", errno);
        else
            *out_map = (br_file_map){.data = data, .size = size};
    }
    close(fd); /* the mapping keeps the file */
    return status;
}

void br_file_map_finish(br_file_map *map)
{
    if (map->data)
        munmap((void *)(uintptr_t)map->data, map->size);
    *map = (br_file_map){0};
}

static void advise(const br_file_map *map, size_t begin, size_t end, int advice)
{
    if (begin < end)
        (void)posix_madvise((void *)(uintptr_t)(map->data + begin), end - begin, advice);
}

void br_file_map_expect(const br_file_map *map, size_t first, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    advise(map, first / page * page, first + size, POSIX_MADV_WILLNEED);
}

void br_file_map_release(const br_file_map *map, size_t first, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), begin = (first + page - 1) / page * page, end = (first + size) / page * page;
#ifdef __linux__
    /* glibc's posix_madvise leaves POSIX_MADV_DONTNEED out, because madvise's forgets what was written; nothing is written here. */
    if (begin < end)
        (void)madvise((void *)(uintptr_t)(map->data + begin), end - begin, MADV_DONTNEED);
#else
    advise(map, begin, end, POSIX_MADV_DONTNEED);
#endif
}

br_status br_file_read(const char *path, size_t max_size, char **out_data, size_t *out_size)
{
    *out_data = NULL;
    *out_size = 0;
    int fd;
    size_t size, done = 0;
    BR_TRY(open_regular(path, &fd, &size));
    br_status status = NULL;
    char *data = NULL;
    if (size > max_size)
        BR_FAIL_GOTO(BR_ERROR_FORMAT, "%s: %zu bytes, expected at most %zu", path, size, max_size);
    data = malloc(size + 1);
    if (!data)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory for %zu bytes", path, size);
    while (done < size) {
        ssize_t got = read(fd, data + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            BR_FAIL_GOTO(BR_ERROR_IO, "%s: cannot read: %s", path, strerror(errno));
        if (got == 0)
            break; /* the file shrank meanwhile */
        done += (size_t)got;
    }
    close(fd);
    data[done] = 0;
    *out_data = data;
    *out_size = done;
    return NULL;
fail:
    close(fd);
    free(data);
    return status;
}

bool br_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool br_file_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

br_status br_dir_create(const char *path)
{
    if (mkdir(path, 0777) && (errno != EEXIST || !br_file_is_dir(path)))
        return br_fail(BR_ERROR_IO, "cannot create the folder %s: %s", path, strerror(errno));
    return NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static br_status add_name(const char *path, const char *name, br_file_names *names)
{
    char **items = realloc(names->items, (size_t)(names->count + 1) * sizeof *items);
    names->items = items ? items : names->items;
    char *copy = items ? strdup(name) : NULL;
    if (!copy)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", path);
    names->items[names->count++] = copy;
    return NULL;
}

br_status br_dir_list(const char *path, br_file_names *out_names)
{
    *out_names = (br_file_names){0};
    DIR *folder = opendir(path);
    if (!folder)
        return fail_errno(path, "list", errno);
    br_status status = NULL;
    errno = 0;
    for (const struct dirent *entry; !status && (entry = readdir(folder)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = add_name(path, entry->d_name, out_names);
    if (!status && errno)
        status = fail_errno(path, "list", errno);
    closedir(folder);
    if (status)
        br_file_names_finish(out_names);
    else if (out_names->count)
        qsort(out_names->items, (size_t)out_names->count, sizeof *out_names->items, compare_names);
    return status;
}

void br_file_names_finish(br_file_names *names)
{
    for (int i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (br_file_names){0};
}

char *br_path_join(const char *folder, const char *name)
{
    size_t length = strlen(folder), tail = strlen(name) + 1;
    bool slash = length > 0 && folder[length - 1] != '/';
    char *path = malloc(length + slash + tail);
    if (!path)
        return NULL;
    memcpy(path, folder, length);
    if (slash)
        path[length] = '/';
    memcpy(path + length + slash, name, tail);
    return path;
}

/* Creates ".NAME.XXXXXX.tmp" beside `path`. open() rather than mkstemp(): the file gets the rights that the umask gives. */
static br_status open_temporary(const char *path, char **out_temporary, int *out_fd)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    size_t name = strlen(path) - folder;
    if (name > TEMPORARY_NAME_MAX)
        name = TEMPORARY_NAME_MAX;
    size_t room = folder + name + 32;
    char *temporary = malloc(room);
    if (!temporary)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", path);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint32_t mix = (uint32_t)now.tv_nsec ^ (uint32_t)getpid() << 15 ^ (uint32_t)(uintptr_t)temporary;
    int error = EEXIST;
    for (int i = 0; i < TEMPORARY_ATTEMPTS && error == EEXIST; i++) {
        mix = mix * 1664525u + 1013904223u;
        snprintf(temporary, room, "%.*s.%.*s.%06x.tmp", (int)folder, path, (int)name, path + folder, (unsigned)(mix >> 8));
        *out_fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*out_fd >= 0) {
            *out_temporary = temporary;
            return NULL;
        }
        error = errno;
    }
    free(temporary);
    return br_fail(BR_ERROR_IO, "%s: cannot write into its folder: %s", path, strerror(error));
}

br_status br_file_writer_begin(const char *path, br_file_writer *out_writer)
{
    *out_writer = (br_file_writer){0};
    br_file_writer writer = {0};
    br_status status = NULL;
    struct stat info;
    int fd = -1;
    bool exists = stat(path, &info) == 0;
    if (!*path)
        BR_FAIL_GOTO(BR_ERROR_IO, "cannot write a file without a name");
    if (!exists && errno != ENOENT)
        BR_FAIL_GOTO(BR_ERROR_IO, "%s: cannot write: %s", path, strerror(errno));
    if (exists ? S_ISDIR(info.st_mode) : path[strlen(path) - 1] == '/')
        BR_FAIL_GOTO(BR_ERROR_IO, "%s: is a folder, expected a file name", path);
    /* realpath: a symbolic link stays, the file behind it is replaced. What lies behind /dev/stdout may have no path. */
    writer.path = exists && S_ISREG(info.st_mode) ? realpath(path, NULL) : strdup(path);
    if (!writer.path)
        BR_FAIL_GOTO(BR_ERROR_IO, "%s: cannot write: %s", path, strerror(errno));
    if (exists && !S_ISREG(info.st_mode)) {
        /* Devices and pipes (/dev/stdout) are written in place: renaming over one would destroy it. */
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
            BR_FAIL_GOTO(BR_ERROR_IO, "%s: cannot write: %s", path, strerror(errno));
    } else {
        BR_TRY_GOTO(open_temporary(writer.path, &writer.temporary, &fd));
    }
    writer.stream = fdopen(fd, "wb");
    if (!writer.stream)
        BR_FAIL_GOTO(BR_ERROR_IO, "%s: cannot write: %s", path, strerror(errno));
    *out_writer = writer;
    return NULL;
fail:
    if (fd >= 0)
        close(fd);
    br_file_writer_abort(&writer);
    return status;
}

void br_file_writer_abort(br_file_writer *writer)
{
    if (writer->stream)
        fclose(writer->stream);
    if (writer->temporary)
        unlink(writer->temporary);
    free(writer->path);
    free(writer->temporary);
    *writer = (br_file_writer){0};
}

/* So that the rename itself survives a power cut. Best effort: some file systems refuse to sync a folder. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(folder);
}

br_status br_file_writer_commit(br_file_writer *writer)
{
    int error = 0;
    /* A write that failed earlier left the error flag but not its errno; flushing again usually reports it anew. */
    bool failed = ferror(writer->stream) != 0;
    errno = 0;
    if (fflush(writer->stream) || failed)
        error = errno ? errno : EIO;
    if (!error && writer->temporary && fsync(fileno(writer->stream)) && errno != EINVAL)
        error = errno;
    if (fclose(writer->stream) && !error)
        error = errno;
    writer->stream = NULL;
    if (!error && writer->temporary && rename(writer->temporary, writer->path))
        error = errno;
    br_status status = NULL;
    if (error) {
        status = br_fail(BR_ERROR_IO, "%s: cannot write: %s", writer->path, strerror(error));
    } else if (writer->temporary) {
        free(writer->temporary); /* renamed: nothing left to remove */
        writer->temporary = NULL;
        sync_folder(writer->path);
    }
    br_file_writer_abort(writer);
    return status;
}

br_status br_file_write(const char *path, const void *data, size_t size)
{
    br_file_writer writer;
    BR_TRY(br_file_writer_begin(path, &writer));
    errno = 0;
    if (size && fwrite(data, 1, size, writer.stream) != size) {
        br_status status = br_fail(BR_ERROR_IO, "%s: cannot write: %s", path, strerror(errno ? errno : EIO));
        br_file_writer_abort(&writer);
        return status;
    }
    return br_file_writer_commit(&writer);
}
