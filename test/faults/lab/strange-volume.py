#!/usr/bin/python3
"""A pass-through FUSE that behaves like volumes other than a plain POSIX one.

usage: strange-volume.py <below> <mounted> [--fold] [--keep=TEXT] [--name-max=BYTES] [--new-inodes] [--moving-ctimes=TEXT]

--fold           looks names up without regard to case and Unicode form, and lists them as they were made (SMB, ZFS, ext4 +F)
--keep           refuses to unlink names that hold TEXT (WORM shares, odd access lists)
--name-max       takes no longer names (eCryptfs: 143)
--new-inodes     gives a file a new inode at each rename (some FUSE and SMB servers)
--moving-ctimes  gives a file whose path holds TEXT a new change time at each look (agents that touch files)

Once a file `let-go` lies beside <below>, it is strange no more in --keep, --new-inodes and --moving-ctimes.
"""
import argparse
import errno
import os
import stat as modes
import time
import unicodedata

import fusepy

parser = argparse.ArgumentParser()
parser.add_argument('below')
parser.add_argument('mounted')
parser.add_argument('--fold', action='store_true')
parser.add_argument('--keep')
parser.add_argument('--name-max', type=int, default=255)
parser.add_argument('--new-inodes', action='store_true')
parser.add_argument('--moving-ctimes')
options = parser.parse_args()


def folded(name):
    return unicodedata.normalize('NFC', name).casefold()


def lets_go():
    return os.path.exists(os.path.join(os.path.dirname(options.below), 'let-go'))


class Strange(fusepy.Operations):
    def __init__(self):
        # how often a file was renamed, by its inode below
        self.renames = {}

    def real(self, path):
        """The path below, with each name as the folder lists it."""
        at = options.below
        for name in filter(None, path.split('/')):
            if len(name.encode('utf-8', 'surrogateescape')) > options.name_max:
                raise fusepy.FuseOSError(errno.ENAMETOOLONG)
            if options.fold and not self.lists(at, name):
                name = self.namesake(at, name) or name
            at = os.path.join(at, name)
        return at

    @staticmethod
    def lists(folder, name):
        return os.path.lexists(os.path.join(folder, name))

    @staticmethod
    def namesake(folder, name):
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return next((other for other in names if folded(other) == folded(name)), None)

    def getattr(self, path, fh=None):
        stat = os.lstat(self.real(path))
        moving = options.moving_ctimes is not None and options.moving_ctimes in path and modes.S_ISREG(stat.st_mode)
        return {
            'st_ino': stat.st_ino + (self.renames.get(stat.st_ino, 0) << 40), 'st_mode': stat.st_mode, 'st_nlink': stat.st_nlink, 'st_uid': stat.st_uid,
            'st_gid': stat.st_gid, 'st_size': stat.st_size, 'st_blocks': stat.st_blocks,
            'st_atime': stat.st_atime_ns, 'st_mtime': stat.st_mtime_ns, 'st_ctime': time.time_ns() if moving and not lets_go() else stat.st_ctime_ns,
        }

    def readdir(self, path, fh):
        return ['.', '..', *os.listdir(self.real(path))]

    def statfs(self, path):
        room = os.statvfs(self.real(path))
        names = ('f_bsize', 'f_frsize', 'f_blocks', 'f_bfree', 'f_bavail', 'f_files', 'f_ffree', 'f_favail', 'f_namemax')
        return {**{name: getattr(room, name) for name in names}, 'f_namemax': options.name_max}

    def rename(self, old, new):
        source, target = self.real(old), self.real(new)
        # a new spelling of a file's own name is a rename like any other
        if source == target:
            target = os.path.join(os.path.dirname(target), os.path.basename(new))
        os.rename(source, target)
        inode = os.lstat(target)
        if options.new_inodes and not lets_go() and modes.S_ISREG(inode.st_mode):
            self.renames[inode.st_ino] = self.renames.get(inode.st_ino, 0) + 1

    def create(self, path, mode, fi=None):
        return os.open(self.real(path), os.O_RDWR | os.O_CREAT, mode)

    def open(self, path, flags):
        return os.open(self.real(path), flags & ~os.O_CREAT)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(self.real(path) if fh is None else fh, length)

    def fsync(self, path, datasync, fh):
        os.fsync(fh)

    def release(self, path, fh):
        os.close(fh)

    def mkdir(self, path, mode):
        os.mkdir(self.real(path), mode)

    def rmdir(self, path):
        os.rmdir(self.real(path))

    def unlink(self, path):
        if options.keep and options.keep in path and not lets_go():
            raise fusepy.FuseOSError(errno.EPERM)
        os.unlink(self.real(path))

    def link(self, target, source):
        if os.path.lexists(self.real(target)):
            raise fusepy.FuseOSError(errno.EEXIST)
        os.link(self.real(source), self.real(target))

    def chmod(self, path, mode):
        os.chmod(self.real(path), mode)

    def chown(self, path, uid, gid):
        os.chown(self.real(path), uid, gid)

    def utimens(self, path, times=None):
        # fusepy gives nanoseconds where times are (use_ns), None for now
        os.utime(self.real(path), ns=times, follow_symlinks=False)


Strange.use_ns = True
fusepy.FUSE(
    Strange(), options.mounted, foreground=True, nothreads=True, use_ino=True, hard_remove=True, big_writes=True,
    attr_timeout=0, entry_timeout=0, negative_timeout=0, fsname='strange',
)
