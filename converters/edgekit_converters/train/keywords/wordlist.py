"""English words for synthesisers to say: frequent ones, and among them all kinds of sounds."""

_WORDS = """
about accept access accident account across act action active actor add address adult advice
affect afraid after afternoon again age agent agree ahead air alaska album alert alex alike
alive all allow alone along already also although always amount ancient and angle animal
announce annual another answer any apart appear apple apply april area argue arm army around
arrive art article ask asleep attack attempt attend august author average avoid awake award
aware away axis axle baby back bag balance ball band bank bar base basic basket bath battle
beach bear beat beauty because bed before begin bell belong below bench best better between bike
bill bird birth bit bite black blank blood blow blue board boat body bold bone book border born
boss bottle bottom box boy brain branch brave bread breath bridge bright bring broad brother
brush budget building burn bus bush busy butter buy cake calendar call calm camera camp can
cancel captain card care carpet carriage carry case cash castle catch cause cent center certain
chain chair chance change channel chapter character charge charm chart chase cheap check cheese
chest chicken chief children choice choose church circle citizen city claim class classic clean
clear clerk clever climate climb clock close cloth cloud club coach coast coat code coffee coin
cold collar collect college color column combine come comfort command comment commit common
commuter company compare compete complete complex compute computing concern condition conduct
confirm connect consider consist construct contact contain content context continue contract
control convert cook copper copy corner correct cost cotton could count country couple course
court cousin cover cowboy create credit crime cross crowd cruel cry culture cup current curtain
custom cut cycle damage dance danger dark data date daughter day deal dear debate debt decide
decision deep defend define degree delay deliver demand department depend depth describe desert
design desk detail develop device dialogue diet differ digital dinner direct dirty discover
discuss disk distance divide do doctor document dollar door double doubt down dozen draft draw
dream dress drink drive drop drum dry due during dust duty eager ear early earn earth east easy
eat edge edit effect effort egg eight either elbow elect elected election electric element
eleven elixir else embassy emotion employ empty encounter end enemy engine enjoy enough enter
entire entry equal error escape essay evening event ever every evidence exact exam example
excess exchange excite excuse exercise exist exit expand expect expense experience expert
explain explore express extend extra extreme eye face fact factor fail faint fair fall false
fame family farm fashion fast fat father fault favor fear feature february feed feel fellow
fence few fiction field fifteen fifty fight figure file fill film final find fine finger finish
fire firm first fish fit five fix flag flame flat flight float floor flow flower fly focus fold
follow food foot for force foreign forest forget fork form formal former fortune forward found
four fox frame free freeze fresh friday friend from front fruit fuel full fun function fund
funny future gain game gap garbage garden gas gate gather general gentle genuine get giant gift
girl give glad glass global glove go goal gold good govern grace grade grain grand grant graph
grass gray great green greet ground group grow guard guess guest guide guitar gun habit hair
half hall hammer hand handle happen happy harbor hard harvest hat hate have head hear heart heat
heavy height hello help here hesitate hide high hill hire history hit hole holiday home hope
horn horse hospital host hotel hour house how huge human humor hundred hunt hurry hurt husband
ice icon idea ideal identify idle ignore illegal image imagine impact imply important improve in
include increase index indicate industry inform information injury inner insect inside insist
install instance instead intend interest interface internal into invest invite iron island item
jacket january jar jazz jealous job join joke journal journey joy judge juice july jump june
junior jury justice keep key kick kid kill kind king kiss kitchen knee knife knock know labor
lack ladder lady lake lamp land lane language lapse large laser last later laughing law lawyer
lay lazy lead leaf league lean leap learn least leather leave lecture left legal lemon lend
length lesson letter level lexical liberty library license lie life lift light like limit line
link lip liquid list listen literature little live load loan local lock logic lonely long look
loose lord lose loss lost loud love low loyal luck lunch luxury machine mad magic mail main
major make male manage many map march mark market marriage mass master match material math
matrix matter maximum maybe meal mean measure meat medal media member memory mental mention menu
merge message metal method middle might mild mile military milk mind mine minor minute miracle
mirror miss mistake mix mobile mode model modern modest modify moment monday money month moon
moral more morning mother mountain mouse mouth move movie much muscle museum music must mutual
my mystery nail name narrow nation nature near neat neck negative neither nerve nervous net
neutral never new news next nice night nine no nobody noise none nor normal north nose note
nothing notice noun novel november now number nurse nut obey object observe obtain obvious ocean
odd of off offer office often oil okay old on once onion only open opera operate opinion option
oral orange order ordinary organ origin other our outside oven over owe own oxygen pack page
pain paint pair palace pale panel panic paper paragraph parent park parse partner pass past path
patient pattern pause pay peace peak pen pencil people pepper perfect perform perhaps period
permit person phase phone phrase physical piano pick picture pie piece pile pilot pink pipe
pitch place plain plan planet plastic plate play please pleasure plenty plot plus pocket poem
poet point police polite political pool poor popular port pose positive possible post pot pound
pour power practice praise pray prefer prepare present president press pretty price pride priest
prime print prison private prize problem process produce profit program promise proof proper
property protect proud prove provide public pull pulse pump punish pupil pure purpose push put
quality quarter queen question quick quiet quote race radio rail rain raise range rank rapid
rare rate rather raw reach react read ready real really reason receive recent record recover red
reduce refer reflect reform refuse regard region regret regular relate relax release relief rely
remain remark remember remote remove rent repair repeat replace reply report request rescue
resist respect respond rest result return reveal reverse review reward rhythm rice rich ride
right ring rise risk rival river road rock role roof room root rope rose rough round route row
royal rub rude rule run rush sacred sad safe sail salad salary sale salt same sample sand
satisfy saturday sauce save say scale scene schedule scheme school science score scratch scream
screen script sea seal search season seat second secret section sector secure see seek seem
select sell send senior sense sentence separate september sequence series serious serve service
session set settle several severe shade shake shall shame shape share sharp sheet sheila shelf
shell shift shine ship shirt shock shoe shoot shop short should shoulder shout show shower shut
shy sick side sight sign signal silence silk silver similar simple since sing single sink sir
sister sit six size skill skin sky sleep slice slide slight slip slow small smart smell smile
smoke smooth snake snow snowball social society soft soil soldier solid solution solve some
something sometimes son song soon sorry sort soul sound soup source south space spare speak
special speed spell spend sphere spin spirit split spoil spoon sport spot spread spring square
stable staff stage stair stamp stand standard star start state station status stay steady steal
steam steel step stick stiff still stock stone stop storm story straight strange stream street
stress stretch strict strike string strip strong structure struggle student study stuff stupid
style subject submit success such sudden suffer sugar suggest suit summer sunday super supply
support suppose sure surface surprise surround survey suspect sweet swim switch symbol syntax
system table tail take tale talent talk tall tank tape target task taste tax taxi tea teacher
tear technique television tell temper temple ten tend tennis tense tent term terror test texas
text textbook thank that the their theme then theory there therefore they thick thin thing think
thirteen thirty this those thousand threat throat through throw thumb thursday ticket tide tie
tight till time tiny tip tire title to toast tobacco today toe together tomato tomorrow tone
tongue tonight too tool tooth top topic total touch tour town toy track trade train transfer
translate trap travel treasure treat tree tremble trial trick trip troops trouble truck true
trust truth try tube tuesday tune tunnel turn twelve twenty twice twist two type ugly ultimate
uncle under union unique unit unite universe unless until up upset urban urge use useful usual
vacuum valid valley value van variable various vast vehicle verb version very vessel victim
victory view village violet virtue vision visit vital vivid voice volume vote voyage wage waist
wait wake walk wall wander want war warm warn wash waste watch water wave way weak wealth weapon
wear weather weave wedding wednesday week weigh welcome welfare well west wet whale what wheat
wheel when where whether which while whisper white who whole why wide wife wild will window wine
wing winner winter wipe wire wisdom wise wish with without witness wolf woman won wonder wooden
wool word work worker world worry worth would wound wrap write wrong yard year yellow yes
yesterday yet yield you young youth zero zone
"""
PLAIN = tuple(_WORDS.split())
