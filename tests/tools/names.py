"""File names that have to be safe everywhere."""

import os

ODD_NAMES = ['a b', "it's", 'a"b', 'a\nb', '$(touch ran)', '[red]', '-rf', '*']
ODD_NAMES.append(os.fsdecode(b'\xe9'))  # no UTF-8
