# SPDX-License-Identifier: MIT
#
# unittest's names for boards: micropython-lib's own is not everywhere. What a failed test says is
# a traceback; the last line is a summary for the PC. Tests are never skipped: what needs a module
# at the UART is in files of its own (test_module*.py).

import gc
import json
import sys


class _Raises:
    def __init__(self, expected, text):
        self.expected, self.text, self.exception = expected, text, None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            raise AssertionError("%s was not raised" % self.expected.__name__)
        if not issubclass(kind, self.expected):
            return False
        assert self.text in str(error), "%r is not in %r" % (self.text, str(error))
        self.exception = error
        return True


class TestCase:
    def setUp(self):
        pass

    def tearDown(self):
        pass

    def fail(self, text):
        raise AssertionError(text)

    def assertEqual(self, first, second):
        assert first == second, "%s is not %s" % (repr(first)[:150], repr(second)[:150])

    def assertIs(self, first, second):
        assert first is second, "%r is not the same as %r" % (first, second)

    def assertIsNone(self, value):
        assert value is None, "%r is not None" % (value,)

    def assertTrue(self, value):
        assert value, "%r is not true" % (value,)

    def assertFalse(self, value):
        assert not value, "%r is not false" % (value,)

    def assertIn(self, item, among):
        assert item in among, "%r is not in %r" % (item, among)

    def assertNotIn(self, item, among):
        assert item not in among, "%r is in %r" % (item, among)

    def assertLess(self, first, second):
        assert first < second, "%r is not less than %r" % (first, second)

    def assertRaises(self, expected, text=""):
        """with self.assertRaises(Timeout, "no answer"): ..."""
        return _Raises(expected, text)


def _run(case, name):
    test = case()
    test.setUp()
    try:
        getattr(test, name)()
    finally:
        test.tearDown()


def main(module):
    """Runs all tests of a module, by its name."""
    names = __import__(module).__dict__
    ran, failed = [], []
    for key in sorted(names):
        case = names[key]
        if not isinstance(case, type) or not issubclass(case, TestCase) or case is TestCase:
            continue
        for name in sorted(n for n in dir(case) if n.startswith("test")):
            full = "%s.%s.%s" % (module, key, name)
            gc.collect()
            try:
                _run(case, name)
                print("ok   " + full)
            except Exception as error:
                print("FAIL " + full)
                sys.print_exception(error)
                failed.append(full)
            ran.append(full)
    print(json.dumps({"ran": ran, "failed": failed}))
