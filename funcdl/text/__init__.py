"""Texts as arrays of whole numbers: tokenizers, windows over a corpus, padding."""

from funcdl.text.bpe import BPETokenizer as BPETokenizer
from funcdl.text.bpe import load_bpe as load_bpe
from funcdl.text.bpe import train_bpe as train_bpe
from funcdl.text.bytewise import ByteTokenizer as ByteTokenizer
from funcdl.text.characters import CharacterTokenizer as CharacterTokenizer
from funcdl.text.characters import character_tokenizer as character_tokenizer
from funcdl.text.sequences import Sequences as Sequences
from funcdl.text.sequences import Windows as Windows
from funcdl.text.sequences import pad_sequences as pad_sequences
from funcdl.text.sequences import windows as windows
from funcdl.text.tokenizer import Tokenizer as Tokenizer
