//! Text of two languages, put together from words by chance.

use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Chinese,
    English,
}

impl Language {
    pub fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }
}

const ENGLISH: &str = "the of and a to in is was for on that by with from at it as were has after council river market \
    report minister school harbour workers strike company network server patch release archive library editor letter \
    court judge appeal hospital doctor vaccine island border train station bridge election ballot winter harvest \
    rainfall satellite engine factory union wage rent tenant landlord museum painter novel translation festival \
    football league champion season coach prison lawyer witness journalist camera protest student teacher exam \
    university research paper software compiler memory protocol packet browser password leak privacy platform message \
    account censor filter tunnel mirror community volunteer meeting budget tax bank currency trade tariff export \
    import mine steel coal solar battery grid outage flood quake rescue village mountain forest wildlife fishery";

const CHINESE: &str = "记者 报道 当局 表示 目前 有关 部门 公司 平台 用户 网络 服务 器 开放 社区 图书 档案 编辑 来信 法院 审理 上诉 \
    医院 医生 疫苗 海岛 边境 列车 车站 大桥 选举 选票 冬季 收成 降雨 卫星 发动机 工厂 工会 工资 租金 房东 博物馆 画家 小说 翻译 \
    电影 节 足球 联赛 冠军 赛季 教练 监狱 律师 证人 镜头 抗议 学生 教师 考试 大学 研究 论文 软件 编译 内存 协议 数据 浏览 密码 \
    泄露 隐私 消息 账号 审查 过滤 隧道 镜像 志愿 会议 预算 税收 银行 货币 贸易 关税 出口 进口 矿山 钢铁 煤炭 太阳能 电池 电网 \
    停电 洪水 地震 救援 村庄 山区 森林 渔业 香港 台北 北京 上海 广州 的 了 在 和 与 对 从 已经 可能 因为 所以 但是 仍然 今年 昨天";

/// Words of both languages, taken apart once.
#[derive(Debug)]
pub struct Words {
    english: Vec<&'static str>,
    chinese: Vec<&'static str>,
}

impl Words {
    pub fn new() -> Self {
        Self { english: ENGLISH.split_whitespace().collect(), chinese: CHINESE.split_whitespace().collect() }
    }

    fn sentence(&self, language: Language, random: &mut Random, words: usize, into: &mut String) {
        match language {
            Language::English => {
                for at in 0..words {
                    let word = random.pick(&self.english);
                    if at == 0 {
                        into.push_str(&word[..1].to_uppercase());
                        into.push_str(&word[1..]);
                    } else {
                        into.push_str(if at % 9 == 8 { ", " } else { " " });
                        into.push_str(word);
                    }
                }
                into.push('.');
            }
            Language::Chinese => {
                for at in 0..words {
                    if at % 6 == 5 {
                        into.push('，');
                    }
                    into.push_str(random.pick(&self.chinese));
                }
                into.push('。');
            }
        }
    }

    /// A headline, with a number so that few are alike.
    pub fn title(&self, language: Language, random: &mut Random) -> String {
        let mut title = String::new();
        let words = random.between(5, 11);
        self.sentence(language, random, words, &mut title);
        title.pop();
        title.push_str(&format!(" {}", random.below(100_000)));
        if random.below(10) == 0 { title.replacen(' ', " & ", 1) } else { title }
    }

    /// Sound XHTML of about so many bytes, as news sites and blogs write it.
    pub fn body(&self, language: Language, random: &mut Random, bytes: usize) -> String {
        let mut body = String::with_capacity(bytes + 600);
        while body.len() < bytes {
            match random.below(12) {
                0 => body.push_str(&format!(
                    "<figure><img src=\"https://images.example/{:x}.jpg\" alt=\"\" width=\"640\" height=\"360\" /></figure>\n",
                    random.next()
                )),
                1 => {
                    body.push_str("<ul>");
                    for _ in 0..random.between(2, 5) {
                        body.push_str("<li>");
                        self.sentence(language, random, 6, &mut body);
                        body.push_str("</li>");
                    }
                    body.push_str("</ul>\n");
                }
                2 => {
                    body.push_str("<blockquote><p>");
                    self.sentence(language, random, 14, &mut body);
                    body.push_str("</p></blockquote>\n");
                }
                _ => self.paragraph(language, random, &mut body),
            }
        }
        body
    }

    fn paragraph(&self, language: Language, random: &mut Random, body: &mut String) {
        body.push_str("<p>");
        for _ in 0..random.between(2, 6) {
            let words = random.between(7, 22);
            match random.below(6) {
                0 => {
                    body.push_str(&format!(
                        "<a href=\"https://links.example/{}?a=1&amp;b=2\">",
                        random.below(1_000_000)
                    ));
                    self.sentence(language, random, 4, body);
                    body.push_str("</a> ");
                }
                1 => {
                    body.push_str("<strong>");
                    self.sentence(language, random, 3, body);
                    body.push_str("</strong> ");
                }
                _ => self.sentence(language, random, words, body),
            }
        }
        body.push_str("</p>\n");
    }
}
