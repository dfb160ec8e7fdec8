"""The works that kgenn rests on, as data, and their BibTeX.

Converters and encoders name them by key; `kgenn.artifact.credits` tells which of them a compiled network used.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from kgenn import __version__
from kgenn.diagnostics import fail, known_names


@dataclass(frozen=True)
class BibliographyEntry:
    """One bibliography entry.

    Attributes:
        key: how it is cited.
        kind: of the entry: "article", "inproceedings" or "software".
        fields: in Unicode; authors as "Last, First and Last, First".
    """

    key: str
    kind: str
    fields: Mapping[str, str]


# A key of the entries below, or an entry of one's own.
Citation = str | BibliographyEntry


ENTRIES = (
    BibliographyEntry(
        "kgenn",
        "software",
        {
            "author": "{The kgenn authors}",
            "title": "kgenn: compile trained Keras models to spiking neural networks",
            "version": __version__,
        },
    ),
    BibliographyEntry(
        "bu2022potentials",
        "inproceedings",
        {
            "author": "Bu, Tong and Ding, Jianhao and Yu, Zhaofei and Huang, Tiejun",
            "title": "Optimized Potential Initialization for Low-Latency Spiking Neural Networks",
            "booktitle": "Proceedings of the AAAI Conference on Artificial Intelligence",
            "volume": "36",
            "number": "1",
            "pages": "11--20",
            "year": "2022",
            "doi": "10.1609/aaai.v36i1.19874",
        },
    ),
    BibliographyEntry(
        "davidson2021",
        "article",
        {
            "author": "Davidson, Simon and Furber, Steve B.",
            "title": "Comparison of Artificial and Spiking Neural Networks on Digital Hardware",
            "journal": "Frontiers in Neuroscience",
            "volume": "15",
            "pages": "651141",
            "year": "2021",
            "doi": "10.3389/fnins.2021.651141",
        },
    ),
    BibliographyEntry(
        "deng2021",
        "inproceedings",
        {
            "author": "Deng, Shikuang and Gu, Shi",
            "title": "Optimal Conversion of Conventional Artificial Neural Networks to Spiking Neural Networks",
            "booktitle": "International Conference on Learning Representations",
            "year": "2021",
            "eprint": "2103.00476",
            "archiveprefix": "arXiv",
        },
    ),
    BibliographyEntry(
        "diehl2015",
        "inproceedings",
        {
            "author": "Diehl, Peter U. and Neil, Daniel and Binas, Jonathan and Cook, Matthew and Liu, Shih-Chii"
            " and Pfeiffer, Michael",
            "title": "Fast-classifying, high-accuracy spiking deep networks through weight and threshold"
            " balancing",
            "booktitle": "2015 International Joint Conference on Neural Networks (IJCNN)",
            "pages": "1--8",
            "year": "2015",
            "doi": "10.1109/IJCNN.2015.7280696",
        },
    ),
    BibliographyEntry(
        "horowitz2014",
        "inproceedings",
        {
            "author": "Horowitz, Mark",
            "title": "1.1 Computing's energy problem (and what we can do about it)",
            "booktitle": "2014 IEEE International Solid-State Circuits Conference Digest of Technical Papers",
            "pages": "10--14",
            "year": "2014",
            "doi": "10.1109/ISSCC.2014.6757323",
        },
    ),
    BibliographyEntry(
        "huang2025",
        "inproceedings",
        {
            "author": "Huang, Zihan and Fang, Wei and Bu, Tong and Xue, Peng and Hao, Zecheng and Liu, Wenxuan and"
            " Tang, Yuanhong and Yu, Zhaofei and Huang, Tiejun",
            "title": "Differential Coding for Training-Free ANN-to-SNN Conversion",
            "booktitle": "Proceedings of the 42nd International Conference on Machine Learning",
            "series": "Proceedings of Machine Learning Research",
            "volume": "267",
            "pages": "25235--25264",
            "year": "2025",
            "eprint": "2503.00301",
            "archiveprefix": "arXiv",
        },
    ),
    BibliographyEntry(
        "kim2020",
        "inproceedings",
        {
            "author": "Kim, Seijoon and Park, Seongsik and Na, Byunggook and Yoon, Sungroh",
            "title": "Spiking-YOLO: Spiking Neural Network for Energy-Efficient Object Detection",
            "booktitle": "Proceedings of the AAAI Conference on Artificial Intelligence",
            "volume": "34",
            "pages": "11270--11277",
            "year": "2020",
            "doi": "10.1609/aaai.v34i07.6787",
        },
    ),
    BibliographyEntry(
        "knight2021pygenn",
        "article",
        {
            "author": "Knight, James C. and Komissarov, Anton and Nowotny, Thomas",
            "title": "PyGeNN: A Python Library for GPU-Enhanced Neural Networks",
            "journal": "Frontiers in Neuroinformatics",
            "volume": "15",
            "pages": "659005",
            "year": "2021",
            "doi": "10.3389/fninf.2021.659005",
        },
    ),
    BibliographyEntry(
        "li2021calibration",
        "inproceedings",
        {
            "author": "Li, Yuhang and Deng, Shikuang and Dong, Xin and Gong, Ruihao and Gu, Shi",
            "title": "A Free Lunch From ANN: Towards Efficient, Accurate Spiking Neural Networks Calibration",
            "booktitle": "Proceedings of the 38th International Conference on Machine Learning",
            "series": "Proceedings of Machine Learning Research",
            "volume": "139",
            "pages": "6316--6325",
            "year": "2021",
            "eprint": "2106.06984",
            "archiveprefix": "arXiv",
        },
    ),
    BibliographyEntry(
        "li2022burst",
        "inproceedings",
        {
            "author": "Li, Yang and Zeng, Yi",
            "title": "Efficient and Accurate Conversion of Spiking Neural Network with Burst Spikes",
            "booktitle": "Proceedings of the Thirty-First International Joint Conference on Artificial"
            " Intelligence",
            "pages": "2485--2491",
            "year": "2022",
            "doi": "10.24963/ijcai.2022/345",
            "eprint": "2204.13271",
            "archiveprefix": "arXiv",
        },
    ),
    BibliographyEntry(
        "lopezrandulfe2022",
        "inproceedings",
        {
            "author": "López-Randulfe, Javier and Reeb, Nico and Knoll, Alois",
            "title": "Conversion of ConvNets to Spiking Neural Networks With Less Than One Spike per Neuron",
            "booktitle": "2022 Conference on Cognitive Computational Neuroscience",
            "year": "2022",
        },
    ),
    BibliographyEntry(
        "lv2024",
        "inproceedings",
        {
            "author": "Lv, Liuzhenghao and Fang, Wei and Yuan, Li and Tian, Yonghong",
            "title": "Optimal ANN-SNN Conversion with Group Neurons",
            "booktitle": "IEEE International Conference on Acoustics, Speech and Signal Processing",
            "pages": "6475--6479",
            "year": "2024",
            "doi": "10.1109/ICASSP48485.2024.10448202",
            "eprint": "2402.19061",
            "archiveprefix": "arXiv",
        },
    ),
    BibliographyEntry(
        "nagel2019",
        "inproceedings",
        {
            "author": "Nagel, Markus and van Baalen, Mart and Blankevoort, Tijmen and Welling, Max",
            "title": "Data-Free Quantization Through Weight Equalization and Bias Correction",
            "booktitle": "IEEE/CVF International Conference on Computer Vision",
            "year": "2019",
            "eprint": "1906.04721",
            "archiveprefix": "arXiv",
        },
    ),
    BibliographyEntry(
        "rueckauer2017",
        "article",
        {
            "author": "Rueckauer, Bodo and Lungu, Iulia-Alexandra and Hu, Yuhuang and Pfeiffer, Michael and"
            " Liu, Shih-Chii",
            "title": "Conversion of Continuous-Valued Deep Networks to Efficient Event-Driven Networks for Image"
            " Classification",
            "journal": "Frontiers in Neuroscience",
            "volume": "11",
            "pages": "682",
            "year": "2017",
            "doi": "10.3389/fnins.2017.00682",
        },
    ),
    BibliographyEntry(
        "sengupta2019",
        "article",
        {
            "author": "Sengupta, Abhronil and Ye, Yuting and Wang, Robert and Liu, Chiao and Roy, Kaushik",
            "title": "Going Deeper in Spiking Neural Networks: VGG and Residual Architectures",
            "journal": "Frontiers in Neuroscience",
            "volume": "13",
            "pages": "95",
            "year": "2019",
            "doi": "10.3389/fnins.2019.00095",
        },
    ),
    BibliographyEntry(
        "stoeckl2021",
        "article",
        {
            "author": "Stöckl, Christoph and Maass, Wolfgang",
            "title": "Optimized spiking neurons can classify images with high accuracy through temporal coding"
            " with two spikes",
            "journal": "Nature Machine Intelligence",
            "volume": "3",
            "number": "3",
            "pages": "230--238",
            "year": "2021",
            "doi": "10.1038/s42256-021-00311-4",
        },
    ),
    BibliographyEntry(
        "yan2024",
        "misc",
        {
            "author": "Yan, Zhanglu and Bai, Zhenyu and Wong, Weng-Fai",
            "title": "Reconsidering the energy efficiency of spiking neural networks",
            "year": "2024",
            "eprint": "2409.08290",
            "archiveprefix": "arXiv",
        },
    ),
    BibliographyEntry(
        "yavuz2016genn",
        "article",
        {
            "author": "Yavuz, Esin and Turner, James and Nowotny, Thomas",
            "title": "GeNN: a code generation framework for accelerated brain simulations",
            "journal": "Scientific Reports",
            "volume": "6",
            "pages": "18854",
            "year": "2016",
            "doi": "10.1038/srep18854",
        },
    ),
)
REFERENCES: Mapping[str, BibliographyEntry] = {entry.key: entry for entry in ENTRIES}

# LaTeX's accents by the combining character of the decomposed letter.
_ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"'}
# Identifiers, which styles print as they are.
_VERBATIM = ("doi", "eprint")


def reference(citation: Citation) -> BibliographyEntry:
    """Return the entry that is meant.

    Raises:
        KgennError: KG401 for a key that is not defined, as an installed converter may name one.
    """
    if isinstance(citation, BibliographyEntry):
        return citation
    if citation not in REFERENCES:
        raise fail("KG401", citation, "unknown citation", known_names(citation, REFERENCES))
    return REFERENCES[citation]


def bibtex(entry: BibliographyEntry) -> str:
    """Return an entry in BibTeX; the title keeps its capitals."""
    lines = [f"@{entry.kind}{{{entry.key},"]
    for name, value in entry.fields.items():
        text = value if name in _VERBATIM else _latex(value)
        lines.append(f"  {name} = {{{{{text}}}}}," if name == "title" else f"  {name} = {{{text}}},")
    return "\n".join([*lines, "}"])


def _latex(text: str) -> str:
    """Return a text with LaTeX's spelling of special characters and of accents that it knows; braces stay."""
    for special in "&%$#_":
        text = text.replace(special, f"\\{special}")
    return "".join(map(_letter, text))


def _letter(character: str) -> str:
    letter, *accents = list(unicodedata.normalize("NFD", character))
    known = len(accents) == 1 and accents[0] in _ACCENTS
    return f"{{\\{_ACCENTS[accents[0]]}{letter}}}" if known else character
